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
from mesh.product.intake import Checker
from mesh.product.plan import plan_product, position_topic
from mesh.product.position import Batch
from mesh.product.relay import Relay, produce
from mesh.product.transform import CAUSE
from mesh.testing import Workbench
from mesh.testing.backbone import Backbone

__all__ = ["main"]

# As the runtime drains them.
BATCH = 50_000
SLOW_SHARE = 3


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
    checker, (publisher, _, schema) = Checker(), registered(bench, CALLS)
    contract = bench.contract(CALLS)
    product = bench.project().product(PRODUCT)
    source = f"/{product.domain}/{product.id}"
    relay = Relay(
        backbone.endpoint,
        bench.principal(PRODUCT),
        position_topic=position_topic(product),
        source=source,
    )
    relay.open()
    ready = [
        each
        for piece in batches(rows, BATCH)
        for each in relay._messages(batch_of(publisher.messages(piece, causes)))
    ]

    # What is prepared is not to be walked again and again while the sides run.
    gc.freeze()

    def ours() -> float:
        began = time.perf_counter()
        for piece in batches(rows, BATCH):
            good, broken = checker.check(piece, contract)
            assert not broken  # noqa: S101 - or it would be no fair race
            relay.publish(batch_of(publisher.messages(good, causes)))
        return time.perf_counter() - began

    raw_topic = new_topic(backbone, "bench.publish.raw")
    raw = Producer({**client(backbone), **IDEMPOTENT})

    def bytes_alone() -> float:
        began = time.perf_counter()
        for each in ready:
            produce(raw, (raw_topic, *each[1:]))
        raw.flush()
        return time.perf_counter() - began

    peer_topic = new_topic(backbone, "bench.publish.avro")
    slow = count // SLOW_SHARE
    sample = as_ipc(rows.slice(0, slow).drop_columns([CAUSE]))

    def row_by_row() -> float:
        return peer(
            "avro",
            "avro_peer.py",
            {
                "do": "publish",
                "client": {**client(backbone), **IDEMPOTENT},
                "registry": backbone.endpoint.registry_url,
                "topic": peer_topic,
                "schema": schema,
                "rows": sample,
                "source": source,
            },
        )["seconds"]

    sides = {"ours": ours, "produce() of bytes": bytes_alone, "AvroSerializer": row_by_row}
    seconds = alternate(sides, rounds)
    sizes = {"ours": count, "produce() of bytes": count, "AvroSerializer": slow}
    relay.close()
    return compare(seconds, sizes)


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
    from mesh.product.duck import connect_memory

    made = []
    for piece in batches(calls(count), BATCH):
        numbered = piece.append_column(CAUSE, pa.array(range(piece.num_rows), pa.int64()))
        found, failures = plan.events[0].query.run(connect_memory(), numbered)
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
