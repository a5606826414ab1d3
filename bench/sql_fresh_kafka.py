"""How long after it was produced a message is seen by a query, over Kafka and HTTP.

    python -m bench.sql_fresh_kafka [--rows N] [--rate N] [--seconds N]

The service runs as it does in a mesh, over a real Kafka; a message's `ended_at` is the moment at
which it was handed to the producer, before its transaction was committed. All are of one
partition, so that who sees the newest sees all. Not here: the way into the port (`freshness`).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Producer

from bench.freshness import made
from bench.measure import report, say
from bench.stage import CALLS, PRODUCT, opened, registered, running
from mesh.contract.types import arrow_schema
from mesh.control.tokens import issue_token
from mesh.product.topics import position_topic
from mesh.testing import Workbench

__all__ = ["main"]

PIECE, TICK_S, START_S = 50_000, 0.02, 300.0
NEWEST = "select epoch_us(max(ended_at)), now() from {table}"
OTHER = "select queue, count(*), now() from {table} group by all"
COUNT = "select count(*), now() from {table}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with running() as backbone, opened(backbone) as bench:
        producer = Producer(
            {
                **bench.backbone.endpoint.client(bench.principal(PRODUCT)),
                "transactional.id": position_topic(bench.project().product(PRODUCT)),
                "compression.type": "lz4",
            }
        )
        producer.init_transactions()
        for _ in range(0, options.rows, PIECE):
            send(bench, producer, PIECE)
        with serving(bench):
            ada, grace = (Analyst(bench, each) for each in ("ada", "grace"))
            wait_for(ada, options.rows)
            seen, sent = measured(bench, producer, (ada, grace), options.rate, options.seconds)
    delays = sorted(delays_of(sent, seen))
    found = {f"p{n}_ms": round(delays[len(delays) * n // 100] / 1000) for n in (50, 99)}
    found["most_ms"] = round(delays[-1] / 1000)
    counts = {"rows": options.rows, "rate": options.rate, "seen": len(delays), "sent": len(sent)}
    report("sql_fresh_kafka", {**counts, "queries": len(seen), **found})


class Analyst:
    """Asks the service over one connection, as a principal."""

    def __init__(self, bench: Workbench, name: str) -> None:
        host = str(bench.home.address("sql")).removeprefix("http://")
        self._connection = http.client.HTTPConnection(host)
        self._bench, self._name = bench, name
        domain = bench.contract(CALLS).topic.split(".")[1].replace("-", "_")
        self._table = f"{domain}.call_center.calls"

    def ask(self, sql: str) -> list[list[int]]:
        """The rows of a query."""
        token = issue_token(self._bench.home, self._bench.principal(self._name), "sql")
        headers = {"Authorization": f"Bearer {token}"}
        self._connection.request("POST", "/sql", sql.format(table=self._table), headers)
        response = self._connection.getresponse()
        document = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{sql}: {document}")
        rows: list[list[int]] = document["rows"]
        return rows


def send(bench: Workbench, producer: Producer, count: int) -> list[int]:
    """Calls that end now, in one transaction; the moment of each in microseconds."""
    contract = bench.contract(CALLS)
    publisher, _, _ = registered(bench, CALLS)
    at = time.time_ns() // 1000
    keys, values = made(publisher.values, arrow_schema(contract), count)
    producer.begin_transaction()
    for key, value in zip(keys, values, strict=True):
        while True:
            try:
                producer.produce(contract.topic, value, key, partition=0)
                break
            except BufferError:
                producer.poll(0.1)
    producer.commit_transaction()
    return [at] * count


@contextmanager
def serving(bench: Workbench) -> Iterator[None]:
    """The service in a process of its own, as `mesh up` starts it."""
    given = {**bench.backbone.environment(), "MESH_PROJECT": str(bench.root)}
    environment = {**os.environ, **given, "MESH_HOME": str(bench.home.path)}
    service = subprocess.Popen([sys.executable, "-m", "mesh", "serve", "sql"], env=environment)
    try:
        deadline = time.monotonic() + START_S
        while bench.home.address("sql") is None:
            if service.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the service did not start")
            time.sleep(0.1)
        yield
    finally:
        service.terminate()
        service.wait(30)


def wait_for(analyst: Analyst, rows: int) -> None:
    """Return once the table is filled."""
    deadline = time.monotonic() + START_S
    while (found := analyst.ask(COUNT)[0][0]) < rows:
        say(f"{found:,} of {rows:,} rows")
        if time.monotonic() > deadline:
            raise SystemExit("the table was not filled")
        time.sleep(1)


def measured(
    bench: Workbench, producer: Producer, analysts: Sequence[Analyst], rate: int, seconds: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """What each answer saw, with its moment, and when each message was handed over."""
    seen, sent, stop = [], list[int](), threading.Event()
    ada, grace = analysts

    def ask_other() -> None:
        while not stop.is_set():
            grace.ask(OTHER)

    def produce() -> None:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if (due := int(passed * rate) - len(sent)) > 0:
                sent.extend(send(bench, producer, due))
            time.sleep(TICK_S)

    threads = [threading.Thread(target=each) for each in (ask_other, produce)]
    for each in threads:
        each.start()
    while threads[1].is_alive() or not seen or seen[-1][0] < sent[-1]:
        newest = ada.ask(NEWEST)[0][0]
        seen.append((newest, time.time_ns() // 1000))
    stop.set()
    for each in threads:
        each.join()
    return seen, sent


def delays_of(sent: Sequence[int], seen: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Microseconds from each message to the first answer that had it."""
    newest = [each for each, _ in seen]
    for at in sent:
        yield seen[bisect_left(newest, at)][1] - at


if __name__ == "__main__":
    main()
