"""Ten analysts at once, whose queries are small, large, wrong and hostile; who gets an error.

    python -m bench.sql_load [--seconds N] [--rows N]

An error is somebody's own where the query deserves one. Memory is that of the service's process and
of all that it has forked.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from bench.measure import report
from bench.sql import JOIN, NAMES, SMALL, served
from bench.sql_fresh import arriving, ask
from mesh.errors import MeshError
from mesh.sql.desk import Desk

__all__ = ["main"]

ANALYSTS = 10
GOOD = (
    SMALL,
    "select queue, count(*), {number} from {calls} group by all",
    JOIN,
    "select * from {calls} limit 1000 offset {number}",
)
# Each deserves its error: no table, no file, no memory, no time.
BAD = (
    "select {number} from nothing.at.all",
    "select {number} from read_csv('/etc/passwd')",
    "select list(range), {number} from range(100000000)",
    "select count(*) + {number} from range(10000000) a, range(1000000) b",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        shelf, desk, _, _ = served(Path(folder), options.rows)
        deadline = time.monotonic() + options.seconds
        with arriving(shelf, 1_000):
            analysts = [
                threading.Thread(target=work, args=(desk, number, deadline, counts, wrong))
                for number in range(ANALYSTS)
            ]
            for each in analysts:
                each.start()
            most = []
            while time.monotonic() < deadline:
                time.sleep(5)
                most.append(memory())
            for each in analysts:
                each.join()
        desk.pool.close()
    quarter = max(1, len(most) // 4)
    found = {"first_quarter_mb": max(most[:quarter]), "last_quarter_mb": max(most[-quarter:])}
    report("sql_load", {**counts, "seconds": options.seconds, "memory": found, "wrong": wrong[:5]})


def work(desk: Desk, number: int, deadline: float, counts: Counter[str], wrong: list[str]) -> None:
    """Ask one query after the other; one in four deserves an error."""
    turn = number
    while time.monotonic() < deadline:
        turn += 1
        is_bad = turn % 4 == 0
        queries = BAD if is_bad else GOOD
        sql = queries[turn // 4 % len(queries)].format(**NAMES, number=100_000_000 + turn)
        try:
            ask(desk, f"analyst-{number}", sql)
            kind = "answered"
        except MeshError as error:
            kind = "refused" if is_bad else "wrong"
            if not is_bad:
                wrong.append(str(error))
        counts[kind] += 1


def memory() -> int:
    """The megabytes of this process and its children, shared pages once each."""
    service = psutil.Process()
    total = 0
    for each in (service, *service.children(recursive=True)):
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return round(total / 1_000_000)


if __name__ == "__main__":
    main()
