"""A product's quarantine on a workbench, in the words of the tests of replays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh.product.asking import Asking
from mesh.product.plan import plan_product
from mesh.product.quarantine import Entry, Quarantine
from mesh.testing import Workbench
from tests.stream import CALLS, PRODUCT, calls, message, messages, run

GOOD = calls(3)


def quarantine(bench: Workbench, product: str = PRODUCT) -> Quarantine:
    """The quarantine of *product*, read with its own secret."""
    plan = plan_product(bench.project(), product)
    return Quarantine(plan, bench.backbone.endpoint, bench.principal(product), bench.registry)


def entries(bench: Workbench, product: str = PRODUCT) -> list[Entry]:
    """What *product* has set aside."""
    return quarantine(bench, product).entries()


def states(bench: Workbench, product: str = PRODUCT) -> list[str]:
    """The states of what *product* has set aside."""
    return [each.state for each in entries(bench, product)]


def ask(bench: Workbench, product: str = PRODUCT, *chosen: Entry) -> dict[str, str]:
    """Ask for *chosen*, or for all there is; why not, for what cannot be."""
    found = quarantine(bench, product)
    plan = plan_product(bench.project(), product)
    asking = Asking(plan, found, bench.backbone.endpoint, bench.principal(product))
    return asking.ask(chosen or found.entries())


def send_among_good(bench: Workbench, *bad: dict[str, Any]) -> list[tuple[int, int]]:
    """Send *bad* after the good calls, and run; the places of *bad*."""
    good = messages(bench, GOOD.to_pylist())
    places = bench.send(PRODUCT, [*good, *bad])
    run(bench, len(places))
    return places[len(good) :]


def of_a_new_queue(bench: Workbench, number: int = 50, **changed: Any) -> dict[str, Any]:
    """A call of a queue that the contracts do not know yet."""
    row = calls(1, number).to_pylist()[0]
    return message(bench, row, queue="nonsense", **changed)


def allow_the_queue(bench: Workbench) -> None:
    """Have both contracts know the new queue."""
    for path in (bench.root / "products" / "call_center" / "contracts").glob("*.yaml"):
        text = path.read_text()
        known = "          - value: general\n"
        assert known in text
        path.write_text(text.replace(known, f"{known}          - value: nonsense\n"))


def put(bench: Workbench, file: str, old: str, new: str) -> Path:
    """Put *new* for *old* in a file of the call center."""
    path = bench.root / "products" / "call_center" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def said_of(bench: Workbench, place: tuple[int, int], port: str = CALLS) -> list[dict[str, Any]]:
    """The headers of what a port's topic says because of the message at *place*."""
    topic = bench.contract("call-center.finished-calls").topic
    mark = f"{topic}/{place[0]}/{place[1]}/"
    found = [dict(each.headers()) for each in bench.messages(bench.contract(port).topic)]
    return [each for each in found if each["ce_id"].decode().startswith(mark)]


@contextmanager
def since() -> Iterator[list[datetime]]:
    """The moment at which the block began."""
    yield [datetime.now(UTC)]
