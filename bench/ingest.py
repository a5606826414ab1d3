"""Taking messages into DuckDB exactly once, against row by row, quixstreams, and dropping them.

    python -m bench.ingest [--rows N] [--rounds N]

Ours decodes with the writer's schema, checks the contract, and commits rows and offsets in one
transaction; the peers do neither check. All but quixstreams insert batches of 10,000 rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from itertools import count as numbers
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.measure import alternate, compare, peer, report
from bench.stage import PRODUCT, STAGING, calls, client, opened, registered, running
from mesh.contract.types import duckdb_columns
from mesh.product.engine import Engine
from mesh.product.inputs import Inputs
from mesh.product.intake import Intake
from mesh.product.plan import plan_product
from mesh.product.storage import Storage
from mesh.testing import Workbench
from mesh.testing.backbone import Backbone

__all__ = ["main"]

BATCH = 10_000
SLOW_SHARE = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running() as backbone, opened(backbone) as bench:
        bench.feed(PRODUCT, calls(options.rows))
        report("ingest", measure(backbone, bench, options.rows, options.rounds))


def measure(backbone: Backbone, bench: Workbench, count: int, rounds: int) -> dict[str, object]:
    """The four sides in turns, over the same topic."""
    contract = bench.contract(STAGING)
    _, _, schema = registered(bench, STAGING)
    slow = count // SLOW_SHARE
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(contract))
    number = numbers()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:

        def path() -> Path:
            return Path(folder) / f"{next(number)}.duckdb"

        def asked(group: str) -> dict[str, object]:
            return {
                "do": "ingest",
                "client": client(backbone),
                "registry": backbone.endpoint.registry_url,
                "topic": contract.topic,
                "schema": schema,
                "partitions": contract.partitions,
                "group": f"{group}-{next(number)}",
                "path": str(path()),
                "table": f"create table kept ({columns})",
                "batch": BATCH,
                "count": slow,
            }

        sides = {
            "ours": lambda: ours(bench, path(), count),
            "consume(1000), dropped": lambda: dropped(backbone, bench, count),
            "AvroDeserializer": lambda: peer("avro", "avro_peer.py", asked("avro"))["seconds"],
            "quixstreams": lambda: peer("quix", "quix_peer.py", asked("quix"))["seconds"],
        }
        sizes = dict.fromkeys(sides, count)
        sizes |= {"AvroDeserializer": slow, "quixstreams": slow}
        return compare(alternate(sides, rounds), sizes)


def ours(bench: Workbench, path: Path, count: int) -> float:
    """The input half of a product's runtime, on a new storage."""
    plan = replace(plan_product(bench.project(), PRODUCT), events=(), states=())
    storage = Storage.open(path, plan.tables)
    engine = Engine(plan, storage, bench.registry)
    source = plan.inputs[0]
    intake = Intake(source, bench.registry, engine.checker, is_traced=False)
    inputs = Inputs(bench.backbone.endpoint, bench.principal(PRODUCT), [source.contract], {})
    try:
        began = time.perf_counter()
        while not inputs.has_reached(inputs.first_ends):
            for messages in (drained := inputs.drain(0.1)).values():
                engine.take_in([intake.read(messages)], inputs.next_offsets(drained))
        seconds = time.perf_counter() - began
        found = storage.connection.execute(
            f'select count(distinct call_id) from "input"."{source.name}"'
        ).fetchall()[0][0]
        assert found == count, found  # noqa: S101 - or there is nothing to compare
        return seconds
    finally:
        inputs.close()
        storage.close()


def dropped(backbone: Backbone, bench: Workbench, count: int) -> float:
    """The same topic by the bare client, which drops the bytes."""
    contract = bench.contract(STAGING)
    consumer = Consumer({**client(backbone), "group.id": "bench.drop", "enable.auto.commit": False})
    consumer.assign([TopicPartition(contract.topic, n, 0) for n in range(contract.partitions)])
    came, began = 0, time.perf_counter()
    while came < count:
        came += sum(each.error() is None for each in consumer.consume(1000, 0.1))
    seconds = time.perf_counter() - began
    consumer.close()
    return seconds


if __name__ == "__main__":
    main()
