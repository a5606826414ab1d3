"""Publishing validated Avro from Arrow, against confluent-kafka row by row, and its bytes alone.

    python -m bench.publish [--rows N] [--rounds N]

All three send the same eight headers, idempotent, acks=all, lz4, to four partitions; ours checks
the contract's rules and publishes in a Kafka transaction besides, as a product does.
"""

from __future__ import annotations

import argparse
import base64
import gc
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
from confluent_kafka import Producer

from bench.measure import alternate, compare, peer, report
from bench.stage import (
    CALLS,
    PRODUCT,
    batches,
    calls,
    client,
    new_topic,
    opened,
    registered,
    running,
)
from mesh.product.causes import CAUSES, INSTANT
from mesh.product.duck import connect_memory
from mesh.product.envelope import Outgoing, outgoing
from mesh.product.intake import Checker
from mesh.product.patience import Patience
from mesh.product.plan import plan_product, position_topic
from mesh.product.planned import Planned
from mesh.product.position import Batch
from mesh.product.publishing import Publishing
from mesh.product.relay import Relay
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE
from mesh.testing import Workbench
from mesh.testing.backbone import Backbone

__all__ = ["main"]

# As many as the runtime takes into one transaction at the most.
BATCH = 10_000
SLOW_SHARE = 3
Side = Callable[[], float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running() as backbone, opened(backbone) as bench:
        report("publish", measure(backbone, bench, options.rows, options.rounds))


def measure(backbone: Backbone, bench: Workbench, count: int, rounds: int) -> dict[str, object]:
    """The three sides in turns."""
    rows, causes = outputs(bench, count)
    slow = count // SLOW_SHARE
    sides = {
        "ours": ours(bench, rows, causes),
        "produce() of bytes": bytes_alone(backbone, ready_messages(bench, rows, causes)),
        "AvroSerializer": row_by_row(bench, rows.slice(0, slow).drop_columns([CAUSE])),
    }
    # What is prepared is not to be walked again and again while the sides run.
    gc.freeze()
    sizes = {"ours": count, "produce() of bytes": count, "AvroSerializer": slow}
    return compare(alternate(sides, rounds), sizes)


def ours(bench: Workbench, rows: pa.Table, causes: pa.Table) -> Side:
    """Checks, encodes and publishes, as the runtime does."""
    checker, (publisher, _, _) = Checker(), registered(bench, CALLS)
    contract, product = bench.contract(CALLS), bench.project().product(PRODUCT)
    relay = Relay(
        bench.backbone.endpoint,
        bench.principal(PRODUCT),
        position_topic=position_topic(product),
        source=SOURCE,
    )
    relay.open()
    # All that it asks of a storage: to be told what is published.
    storage = cast(Storage, SimpleNamespace(published=None))
    publishing = Publishing(Patience(), storage, lambda _: None)

    def run() -> float:
        began = time.perf_counter()
        for piece in batches(rows, BATCH):
            good, broken = checker.check(piece, contract)
            assert not broken  # noqa: S101 - or it would be no fair race
            publishing.begin(relay, batch_of(publisher.messages(good, causes)))
        publishing.settle()
        return time.perf_counter() - began

    return run


def ready_messages(bench: Workbench, rows: pa.Table, causes: pa.Table) -> list[Outgoing]:
    """The same messages, encoded."""
    publisher, _, _ = registered(bench, CALLS)
    return [
        each
        for piece in batches(rows, BATCH)
        for each in outgoing(publisher.messages(piece, causes), SOURCE)
    ]


def bytes_alone(backbone: Backbone, ready: list[Outgoing]) -> Side:
    """Hands over what is ready."""
    topic = new_topic(backbone, "bench.publish.raw")
    producer = Producer({**client(backbone), **IDEMPOTENT})

    def run() -> float:
        began = time.perf_counter()
        for _, value, key, headers in ready:
            while True:
                try:
                    producer.produce(topic, value, key, headers=headers)
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.flush()
        return time.perf_counter() - began

    return run


def row_by_row(bench: Workbench, rows: pa.Table) -> Side:
    """confluent-kafka's serialiser, from the same rows in Arrow."""
    _, _, schema = registered(bench, CALLS)
    task = {
        "do": "publish",
        "client": {**client(bench.backbone), **IDEMPOTENT},
        "registry": bench.backbone.endpoint.registry_url,
        "topic": new_topic(bench.backbone, "bench.publish.avro"),
        "schema": schema,
        "rows": as_ipc(rows),
        "source": SOURCE,
    }
    return lambda: peer("avro", "avro_peer.py", task)["seconds"]


SOURCE = "/customer-service/call-center"
IDEMPOTENT = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "linger.ms": 5,
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 1_000_000,
}


def outputs(bench: Workbench, count: int) -> tuple[pa.Table, pa.Table]:
    """Rows of the output port with `_cause`, and the causes they index: each batch's own."""
    plan = plan_product(bench.project(), PRODUCT)
    made = []
    for piece in batches(calls(count), BATCH):
        numbered = piece.append_column(CAUSE, pa.array(range(piece.num_rows), pa.int64()))
        found, failures = plan.events[0].query.run(Planned(connect_memory()), numbered)
        assert not failures  # noqa: S101 - the world's calls are sound
        made.append(found.sort_by(CAUSE))
    causes = pa.table(
        {
            "topic": ["staging"] * BATCH,
            "partition": [0] * BATCH,
            "offset": list(range(BATCH)),
            "time": pa.array([1_700_000_000_000_000] * BATCH, INSTANT),
            "trace": pa.nulls(BATCH, pa.string()),
        },
        schema=CAUSES,
    )
    return pa.concat_tables(made), causes


def batch_of(outbox: pa.Table) -> Batch:
    """A batch that the relay takes."""
    return Batch(id="bench", seq=outbox.num_rows, offsets={}, outbox=outbox)


def as_ipc(rows: pa.Table) -> str:
    """Rows for a peer, which starts from Arrow as we do."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return base64.b64encode(sink.getvalue()).decode()


if __name__ == "__main__":
    main()
