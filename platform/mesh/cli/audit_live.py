"""`mesh audit verify --live`: the logs, the topics and the products' rows of a mesh, compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, steps
from mesh.errors import MeshError, SettingsError

if TYPE_CHECKING:
    from mesh.audit.told import Port
    from mesh.audit.verify import Sources, Verdict
    from mesh.backbone.registry import Registry
    from mesh.contract.model import Contract

__all__ = ["verify_live"]

TIMEOUT_S = 60
STATUS_S = 15.0
# What takes less needs no progress.
PATIENCE_S = 2.0
NO_KEY = (
    "the key was the service's own word: keep it (`mesh audit key`), and say --log-key next time"
)


def verify_live(app: App, key_text: str | None, checkpoints: Path | None, *, as_json: bool) -> bool:
    """Verify, and show what was found; whether that is nothing."""
    from mesh.audit.verify import verify

    with steps() as progress, sources_of(app, key_text, notes_in(checkpoints)) as sources:
        verdict = verify(sources, late(progress.say))
    if as_json:
        show_json(verdict.as_document())
    else:
        show_verdict(verdict)
        if key_text is None:
            click.echo(NO_KEY, err=True)
    return verdict.findings.is_fine


@contextmanager
def sources_of(app: App, key_text: str | None, notes: list[str]) -> Iterator[Sources]:
    """What is compared: the audit service, Kafka, and the door of every product that runs."""
    import httpx

    from mesh.audit.note import LogKey
    from mesh.audit.served import Served
    from mesh.audit.verify import Sources
    from mesh.backbone.direct import direct
    from mesh.backbone.registry import Registry
    from mesh.cli.audit_verify import key_of
    from mesh.cli.read import get_token
    from mesh.contract.audit import AUDIT, AUDIT_SERVICE
    from mesh.control.principals import SCHEMAS_TOPIC

    token = kept(lambda: get_token(app, AUDIT, AUDIT_SERVICE))
    address = app.address(AUDIT_SERVICE)
    with (
        httpx.Client(base_url=address, timeout=TIMEOUT_S, **direct(address)) as client,
        Registry(app.endpoint) as registry,
    ):
        served = Served(client, token)
        yield Sources(
            served=served,
            endpoint=app.endpoint,
            principal=app.principal(AUDIT),
            key=LogKey.parse(served.key()) if key_text is None else key_of(key_text),
            schemas_topic=SCHEMAS_TOPIC,
            ports=[port_of(app, registry, each) for each in streamed(app)],
            kept=notes,
        )


def streamed(app: App) -> Iterator[Contract]:
    """Every port that has rows to compare. Raises `MeshError` where they are not whole now."""
    from mesh.observe.status import ask_status

    for product in app.project.products.values():
        contracts = [each.contract for each in product.outputs if each.contract.is_streamed]
        if not contracts:
            continue
        state = (ask_status(app.address(product.id), STATUS_S) or {}).get("state", "absent")
        if state in ("recovering", "starting", "absent"):
            raise MeshError(f"{product.id} is {state}: verify when `mesh status` says it runs")
        yield from contracts


def port_of(app: App, registry: Registry, contract: Contract) -> Port:
    """A port at its product's door, asked for as the product, or as who was granted it."""
    from mesh.audit.told import Port
    from mesh.cli.read import get_token, reader, rows_url

    product = contract.product
    is_here = app.home.secret_path(product).exists()
    principal = product if is_here else reader(app, contract)
    return Port(
        contract=contract,
        schema_of=registry.schema,
        url=rows_url(app, contract),
        token=lambda: get_token(app, principal, product),
    )


def notes_in(folder: Path | None) -> list[str]:
    """The checkpoints that were kept in a folder, each a file."""
    if folder is None:
        return []
    try:
        paths = sorted(each for each in folder.iterdir() if each.is_file())
        notes = [each.read_text("utf-8", errors="replace") for each in paths]
    except OSError as error:
        raise SettingsError(f"{folder} cannot be read: {error.strerror}") from error
    # A key or a proof may lie beside them.
    return [each for each in notes if "\n\n\u2014 " in each and not each.startswith("c2sp.org/")]


def kept(make: Callable[[], str], seconds: float = 300) -> Callable[[], str]:
    """A token, made anew before it ends."""
    made: list[tuple[float, str]] = []

    def get() -> str:
        if not made or time.monotonic() - made[-1][0] > seconds:
            made[:] = [(time.monotonic(), make())]
        return made[-1][1]

    return get


def late(say: Callable[[str], None], seconds: float = PATIENCE_S) -> Callable[[str], None]:
    """*say*, once there is something to wait for."""
    begin = time.monotonic()
    return lambda text: say(text) if time.monotonic() - begin > seconds else None


def show_verdict(verdict: Verdict) -> None:
    """A line a finding, or one that all is well."""
    for each in verdict.findings.found:
        click.echo(printable(str(each)))
    for (fault, what, source), count in verdict.findings.left_out.items():
        click.echo(printable(f"{fault}: {what} {source}: {count:,} more"))
    erased = f", {verdict.erased:,} of them erased" if verdict.erased else ""
    if verdict.findings.is_fine:
        click.echo(f"verified: {verdict.entries:,} entries{erased}: nothing is missing or altered")
    else:
        click.echo(f"NOT AS IT WAS SIGNED: {verdict.entries:,} entries{erased}")
