"""Backlogs that wait for a product, and how much memory its process takes to work through them.

The process is the real one, `python -m mesh run`; its peak is the kernel's own high-water mark.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
from confluent_kafka import Producer

from mesh.backbone.avro import Encoder
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema, avro_schema
from mesh.observe.status import ask_status
from mesh.testing import Workbench
from tests.stream import calls, process

__all__ = ["MB", "Seen", "fill", "many_calls", "run_through"]

MB = 1024 * 1024
PIECE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a process took: its *peak_mb* of resident memory, and time until none waited."""

    peak_mb: float
    seconds: float
    cpu_s: float


def many_calls(count: int, numbers: int | None = None) -> Iterator[pa.Table]:
    """*count* calls with ids of their own, in pieces; of so many phone *numbers*, if given."""
    template = calls(PIECE)
    for start in range(0, count, PIECE):
        rows = template.slice(0, min(PIECE, count - start))
        ids = [str(uuid.UUID(int=n + 1)) for n in range(start, start + rows.num_rows)]
        rows = replaced(rows, "call_id", ids)
        if numbers is not None:
            many = range(start, start + rows.num_rows)
            rows = replaced(rows, "phone_number", [f"+1202{n % numbers:08}" for n in many])
        yield rows


def replaced(rows: pa.Table, name: str, values: list[str]) -> pa.Table:
    """*rows* with another column *name*."""
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, name, pa.array(values, pa.string()))


def fill(bench: Workbench, contract: Contract, writer: str, pieces: Iterator[pa.Table]) -> int:
    """Put rows on *contract*'s topic as *writer* may, fast and unchecked; how many."""
    schema, count = avro_schema(contract), 0
    with Registry(bench.backbone.endpoint) as registry:
        schema_id = registry.find(contract.subject, schema)
    assert schema_id is not None
    encoder, key = Encoder(schema), contract.key_fields[0].name
    client = bench.backbone.endpoint.client(bench.principal(writer))
    producer = Producer(
        {**client, "partitioner": "murmur2_random", "linger.ms": 20, "compression.type": "lz4",
         "enable.idempotence": True, "queue.buffering.max.kbytes": 200_000}
    )  # fmt: skip
    fields = arrow_schema(contract)
    for rows in pieces:
        values = encoder.encode(rows.select(fields.names).cast(fields), schema_id)
        messages = [
            {"key": k, "value": v} for k, v in zip(rows[key].to_pylist(), values, strict=True)
        ]
        while messages:
            producer.produce_batch(contract.topic, messages)
            messages = [each for each in messages if "_error" in each]
            for each in messages:
                del each["_error"]
            producer.poll(0.01 if messages else 0)
        count += rows.num_rows
    assert producer.flush(120) == 0
    return count


def run_through(
    bench: Workbench,
    product: str,
    *,
    timeout_s: float,
    watch: Callable[[psutil.Process, float], None] = lambda _process, _s: None,
) -> Seen:
    """Run *product* in a process of its own until nothing waits for it any more.

    *watch* is called again and again with the process and the seconds it has run.
    """
    start = time.monotonic()
    with process(bench, "run", product) as (child, log):
        watched = psutil.Process(child.pid)
        while not is_through(bench, product):
            assert child.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < start + timeout_s, log.read_text()[-2000:]
            watch(watched, time.monotonic() - start)
            time.sleep(0.2)
        seconds = time.monotonic() - start
        times = watched.cpu_times()
        seen = Seen(peak_mb=peak_mb(child.pid), seconds=seconds, cpu_s=times.user + times.system)
        # Not killed: its last batch is stored, and may still be on its way to Kafka.
        child.terminate()
        child.wait(30)
        return seen


def is_through(bench: Workbench, product: str) -> bool:
    """Whether the product runs, and nothing waits."""
    address = bench.home.address(product)
    status = ask_status(address) if address else None
    return status is not None and status["state"] == "running" and status["lag"] == 0


def peak_mb(pid: int) -> float:
    """The most resident memory that a process has ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("this system tells no high-water mark")
