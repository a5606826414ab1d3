"""How long after its arrival at the service a message is seen by a query, at a steady rate.

    python -m bench.sql_fresh [--rows N] [--rate N] [--seconds N]

A table of a million rows takes batches as the service's follower would, while queries run without
a pause. Not here: the way from a producer to the service, which `freshness` measures.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Message

from bench.measure import report
from bench.sql import NAMES, served
from mesh.backbone.record import encoded
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema
from mesh.product.rows import RowReader
from mesh.sql.asked import Asked
from mesh.sql.desk import Desk
from mesh.sql.shelf import Shelf

__all__ = ["main"]

CALLS = "call-center.calls"
SCHEMA_ID, BATCH_S = 1, 0.02
NEWEST = f"select epoch_us(max(ended_at)), now() from {NAMES['calls']}"
OTHER = f"select queue, count(*), now() from {NAMES['calls']} group by all"
# Behind all rows that were there before.
BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shelf, desk, _, _ = served(Path(folder), options.rows)
        with arriving(shelf, options.rate) as sent:
            seen = answers(desk, options.seconds)
        desk.pool.close()
    delays = sorted(delays_of(sent, seen))
    found = {f"p{n}_ms": round(1000 * delays[len(delays) * n // 100]) for n in (50, 99)}
    report("sql_fresh", {"rows": options.rows, "rate": options.rate, **found, "seen": len(delays)})


def answers(desk: Desk, seconds: int) -> list[tuple[int, float]]:
    """The newest message that each answer had, and when it was there; another query beside it."""
    seen, stop = [], threading.Event()

    def ask_other() -> None:
        while not stop.is_set():
            ask(desk, "grace", OTHER)

    other = threading.Thread(target=ask_other)
    other.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        micros = int(ask(desk, "ada", NEWEST).split(b"[[")[1].split(b",")[0])
        newest = (micros - int(BEGIN.timestamp() * 1e6)) // 1_000_000
        seen.append((newest, time.monotonic()))
    stop.set()
    other.join()
    return seen


def ask(desk: Desk, principal: str, sql: str) -> bytes:
    """The whole answer to a query."""
    answer = desk.answer(Asked(principal=principal, sql=sql))
    body = b"".join(answer.pieces)
    answer.close()
    return body


def delays_of(sent: list[float], seen: list[tuple[int, float]]) -> Iterator[float]:
    """How long each message took to the first answer that had it."""
    newest = [each for each, _ in seen]
    for number, at in enumerate(sent):
        place = bisect_left(newest, number)
        if place < len(seen):
            yield seen[place][1] - at


@contextmanager
def arriving(shelf: Shelf, rate: int) -> Iterator[list[float]]:
    """Have messages arrive in batches, and copies made, as the service does; when each arrived."""
    table = next(each for each in shelf.tables.values() if each.contract.id == CALLS)
    table._reader = RowReader(table.contract, {SCHEMA_ID: avro_schema(table.contract)}.get)
    sent: list[float] = []
    stop = threading.Event()

    def keep() -> None:
        begun = time.monotonic()
        while not stop.is_set():
            due = int((time.monotonic() - begun) * rate) - len(sent)
            if due >= rate * BATCH_S:
                numbers = range(len(sent), len(sent) + due)
                sent.extend(time.monotonic() for _ in numbers)
                table.take([message_of(table.contract, each) for each in numbers])
            shelf.refresh()
            time.sleep(BATCH_S / 4)

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield sent
    finally:
        stop.set()
        keeper.join()


def message_of(contract: Contract, number: int) -> Message:
    """A call, as many seconds after the beginning as its number says."""
    ended_at = BEGIN + timedelta(seconds=number)
    row = {"call_id": uuid.uuid4(), "phone_number": "+12000000000", "queue": "billing"}
    row |= {"agent_id": "A-1000", "reason": None, "site": "north", "started_at": BEGIN}
    row |= {"ended_at": ended_at, "duration_s": 1}
    return Message(
        topic=contract.topic,
        partition=0,
        offset=10_000_000 + number,
        key=str(number).encode(),
        value=encoded(SCHEMA_ID, avro_schema(contract), row),
    )


if __name__ == "__main__":
    main()
