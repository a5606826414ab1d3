"""One run of a batch product, wired: the function in its folder, and what it announces.

Not here: when it runs, and the process that serves it (`product`, `batch`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial

import pyarrow as pa

from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.backbone.keys import keys
from mesh.contract.model import Contract, Product
from mesh.contract.project import Project
from mesh.errors import SettingsError, WrongUse
from mesh.home import Home
from mesh.product.appending import Appender
from mesh.product.batch import Asked, Batch
from mesh.product.readback import read_back
from mesh.settings import Settings
from mesh.wiring.own import loaded

__all__ = ["announce_once", "own_contract", "run_once"]

MODULE = "batch"


def run_once(
    settings: Settings,
    home: Home,
    project: Project,
    name: str,
    asked: Asked,
) -> Mapping[str, object]:
    """Run the product *name* as it is *asked*; what came of it.

    Raises `WrongUse` where it has nothing to run.
    """
    product = project.product(name)
    run = own_run(product)
    with ExitStack() as stack:
        announcers: dict[str, Announcer] = {}

        def announce(port: str, rows: pa.Table) -> None:
            if port not in announcers:
                opened = Announcer(settings, home, own_contract(project, product, port))
                announcers[port] = stack.enter_context(closing(opened))
            announcers[port].say(rows)

        return run(
            Batch(
                product=product,
                project=project,
                as_of=asked.as_of,
                folder=partial(home.folder, "batch", name),
                announce=announce,
                say=asked.say,
                options=asked.options,
                read=asked.read,
            )
        )


def announce_once(settings: Settings, home: Home, contract: Contract, rows: pa.Table) -> None:
    """Write *rows* to a product's own input port (`own_contract`), each key once."""
    with closing(Announcer(settings, home, contract)) as announcer:
        announcer.say(rows)


def own_run(product: Product) -> Callable[[Batch], Mapping[str, object]]:
    """The function `run` of the product's `batch.py`."""
    path = product.folder / f"{MODULE}.py"
    if not path.is_file():
        raise WrongUse(f"{product.id} is no batch product: it has no {MODULE}.py with `run(batch)`")
    # Whatever importing a product's code raises, the person must learn whose it is.
    try:
        package = loaded(product.folder)
        run: Callable[[Batch], Mapping[str, object]] = importlib.import_module(
            f"{package}.{MODULE}"
        ).run
    except Exception as error:
        raise SettingsError(f"{path} cannot be loaded, mend it: {error}") from error
    return run


def own_contract(project: Project, product: Product, name: str) -> Contract:
    """The contract of an input port that the product itself writes."""
    port = next((each for each in product.inputs if each.name == name), None)
    if port is None or not port.is_own:
        raise WrongUse(f"{product.id} has no input port {name} of its own (`own: true`)")
    return project.input_contract(port)


class Announcer:
    """Writes to an input port of the product's own what was not written there yet."""

    def __init__(self, settings: Settings, home: Home, contract: Contract) -> None:
        principal = Principal(name=contract.product, secret=home.secret(contract.product))
        self._where = (find_endpoint(settings, home), principal)
        self._contract = contract
        self._appender = Appender(contract, *self._where)
        # Whoever wrote before is fenced first: what is read then is all there will be.
        self._appender.open()
        chunks = read_back(*self._where, contract.topic)
        self._said = {message.key() for chunk in chunks for message in chunk}

    def say(self, rows: pa.Table) -> None:
        """Write those of *rows* whose key was never written. Raises `Unsure`."""
        found = keys(rows, self._contract).to_pylist()
        new = [place for place, key in enumerate(found) if key not in self._said]
        if new:
            self._appender.append(rows.take(pa.array(new, pa.int64())))
            self._said.update(found)

    def close(self) -> None:
        """Let go of the topic."""
        self._appender.close()
