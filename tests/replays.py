"""A product's quarantine on a workbench, in the words of the tests of replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesh.product.asking import Asking
from mesh.product.plan import plan_product
from mesh.product.quarantine import Entry, Quarantine
from mesh.testing import Workbench
from tests.stream import (
    CALLS,
    PRODUCT,
    calls,
    ids_of,
    message,
    messages,
    published_ids,
    run,
    stored_ids,
)

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


def assert_once(bench, many: int = 1) -> None:
    """The good calls and the *many* replayed ones are stored and published, each once."""
    expected = sorted([*ids_of(calls(3)), *ids_of(calls(many, 50))])

    assert published_ids(bench) == expected
    assert stored_ids(bench) == expected
    assert stored_ids(bench, "input", "finished_calls") == expected
