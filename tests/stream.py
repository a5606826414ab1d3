"""The call center on a workbench, in the words of the tests of the way of the data."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from confluent_kafka import Message

from mesh.product.plan import plan_product
from mesh.product.position import Batch
from mesh.product.relay import Relay, RelayFailed, produce
from mesh.product.systems import find_systems
from mesh.testing import Workbench

PRODUCT = "call-center"
STAGING = "call-center.finished-calls"
CALLS = "call-center.calls"
MASKED = "call-center.calls-masked"


class FaultyRelay(Relay):
    """A relay in place of *other* that fails once at each of *points*, in order.

    As if the network had gone `before` a publication, `within` it, or `after` its commit.
    """

    def __init__(self, other: Relay, points: list[str]) -> None:
        self.__dict__.update(other.__dict__)
        self.points = points

    def publish(self, batch: Batch) -> None:
        point = self.points.pop(0) if self.points else ""
        if point == "before":
            raise RelayFailed("nothing was sent")
        if point == "within":
            self._producer.begin_transaction()
            for each in list(self._messages(batch))[:3]:
                produce(self._producer, each)
            self._producer.flush()
            raise RelayFailed("half was sent, and nothing committed")
        super().publish(batch)
        if point == "after":
            raise RelayFailed("all was committed, and we do not know it")


def calls(count: int, start: int = 0) -> pa.Table:
    """Calls number *start* and after of the simulated world."""
    batches = find_systems()[PRODUCT].batches(7, count, start=start)
    return pa.concat_tables(each["finished-calls"] for each in batches)


def ids_of(table: pa.Table) -> list[str]:
    """The call ids of *table*, in order of themselves."""
    return sorted(table["call_id"].to_pylist())


def run(bench: Workbench, count: int) -> None:
    """Run the product in this process until *count* messages came and none waits."""
    with bench.running(PRODUCT) as runtime:
        bench.settle(runtime, count)


def published(bench: Workbench) -> list[Message]:
    """What is on the output topic."""
    return bench.messages(bench.contract(CALLS).topic)


def staged(bench: Workbench) -> list[Message]:
    """What is on the staging topic."""
    return bench.messages(bench.contract(STAGING).topic)


def published_ids(bench: Workbench) -> list[str]:
    """The keys on the output topic, in order of themselves; twice what is there twice."""
    return keys_of(published(bench))


def keys_of(messages: list[Message]) -> list[str]:
    """The keys of *messages*, in order of themselves."""
    return sorted(message.key().decode() for message in messages)


def stored_ids(bench: Workbench, schema: str = "main", table: str = "calls") -> list[str]:
    """The call ids in the storage, in order of themselves; twice what is there twice."""
    return sorted(str(row["call_id"]) for row in bench.rows(PRODUCT, table, schema))


def set_aside(bench: Workbench) -> list[dict[str, Any]]:
    """What is on the rejected topic of the input port."""
    source = plan_product(bench.project(), PRODUCT).inputs[0]
    return bench.decoded(bench.messages(source.rejected_topic))


def refused(bench: Workbench) -> list[dict[str, Any]]:
    """What is on the rejected topic of the output port."""
    return bench.decoded(bench.messages(bench.contract(CALLS).rejected_topic))


def message(bench: Workbench, row: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The message of a call as the telephony system writes it, rules unchecked."""
    (found,) = messages(bench, [{**row, **changed}])
    return found


def messages(bench: Workbench, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of calls as the telephony system writes them, rules unchecked."""
    contract = bench.contract(STAGING)
    return [{"key": row["call_id"].encode(), "value": bench.encoded(contract, row)} for row in rows]


def quality(bench: Workbench) -> Counter[str]:
    """How often each rule was broken, by the product's own count."""
    found: Counter[str] = Counter()
    for row in bench.rows(PRODUCT, "quality", "mesh"):
        found[row["rule"]] += row["count_rejected"]
    return found


def assert_each_once(bench: Workbench, many: int) -> None:
    """The storage and both topics hold the first *many* calls, each once."""
    expected = ids_of(calls(many))

    assert published_ids(bench) == expected
    assert stored_ids(bench) == expected
    assert keys_of(bench.messages(bench.contract(MASKED).topic)) == expected
    assert stored_ids(bench, table="calls_masked") == expected
    assert stored_ids(bench, "input", "finished_calls") == expected


def make_anew(bench: Workbench, topic: str) -> None:
    """Delete *topic* and make it again."""
    client = bench.backbone.administrator()._client
    client.delete_topics([topic])[topic].result()
    deadline = time.monotonic() + 10
    while topic in client.list_topics(timeout=5).topics:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    bench.provision()


@contextmanager
def process(bench, *arguments: str):
    """`python -m mesh …` on the workbench, and its log; killed at the end if it still runs."""
    log = bench.root.parent / "process.log"
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "mesh", *arguments],
            env=bench.environment(),
            cwd=bench.root,
            stdout=file,
            stderr=file,
        )
        try:
            yield child, log
        finally:
            child.kill()
            child.wait()
