"""What hostile SQL tries is refused, and each limit is what refuses it: without it, it works."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesh.sql.limits import missing
from mesh.sql.nursery import Nursery
from tests.sql import PROGRAM, copy_of, refused, worker_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One zygote for all tests."""
    with Nursery(PROGRAM) as found:
        yield found


@dataclass(frozen=True, slots=True, kw_only=True)
class Escape:
    """SQL that one *limit* stops, once the *layers* before it are off, and how it says so."""

    limit: str
    sql: str
    said: str
    layers: tuple[str, ...] = ()
    cpu_s: int = 1


ESCAPES = [
    Escape(
        limit="landlock",
        layers=("settings",),
        sql="select * from read_text('/etc/passwd')",
        said="Permission denied",
    ),
    Escape(
        limit="landlock",
        layers=("settings",),
        sql="select * from read_csv('/etc/passwd', header = false, sep = ':')",
        said="Permission denied",
    ),
    Escape(
        limit="landlock",
        layers=("settings", "statements"),
        sql="attach '{folder}/finance.billing.invoices.duckdb' as other (read_only)",
        said="Permission denied",
    ),
    Escape(
        limit="landlock",
        layers=("settings", "statements", "writes"),
        sql="copy (select 1) to '{folder}/stolen.csv'",
        said="Permission denied",
    ),
    Escape(
        limit="writes",
        layers=("settings", "statements", "landlock"),
        sql="copy (select 1) to '{folder}/stolen.csv'",
        said="File too large",
    ),
    Escape(
        limit="files",
        layers=("settings", "statements", "landlock"),
        sql="{attached}",
        said="Too many open files",
    ),
    Escape(
        limit="settings",
        layers=("landlock",),
        sql="select * from read_text('/etc/passwd')",
        said="disabled by configuration",
    ),
    Escape(
        limit="settings",
        layers=("statements",),
        sql="set memory_limit = '100GB'",
        said="configuration has been locked",
    ),
    Escape(
        limit="statements",
        sql="drop view sales.contracts.contracts",
        said="send one query",
    ),
    Escape(limit="statements", sql="pragma enable_profiling", said="send one query"),
    Escape(limit="statements", sql="select 1; attach ':memory:' as x", said="send one query"),
    Escape(
        limit="space",
        sql="select max(len(range(i))) from range(60000000, 60000001) t(i)",
        said="needs more memory",
    ),
    Escape(
        limit="cpu",
        sql="select count(*) from range(20000000000)",
        said="more CPU time",
        # The kernel counts whole seconds: less than one.
        cpu_s=0,
    ),
]


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda each: f"{each.limit}: {each.sql[:50]}")
def test_each_limit_stops_what_would_work_without_it(nursery, tmp_path, escape):
    granted = copy_of(tmp_path)
    other = copy_of(tmp_path, "finance.billing.invoices")
    sql = escape.sql.format(folder=tmp_path, attached=attached(other.path, 30))
    held = worker_of(nursery, [granted], *escape.layers, cpu_s=escape.cpu_s)
    loose = worker_of(nursery, [granted], *escape.layers, escape.limit, cpu_s=escape.cpu_s)

    assert escape.said in refused(held, sql)
    assert refused(loose, sql) == ""
    held.close()
    loose.close()


def attached(path: Path, count: int) -> str:
    """SQL that has more files open than a worker may have."""
    copies = [path.with_suffix(f".{number}") for number in range(count)]
    for each in copies:
        shutil.copy(path, each)
    return "; ".join(f"attach '{each}' as a{n} (read_only)" for n, each in enumerate(copies))


def test_no_connection_leaves_a_worker_and_one_does_without_the_filter(nursery, tmp_path):
    copies = [copy_of(tmp_path)]
    layers = ("settings", "statements", "landlock", "writes")
    with socket.create_server(("127.0.0.1", 0)) as server:
        knocks: list[bytes] = []
        threading.Thread(target=take, args=(server, knocks), daemon=True).start()
        at = f"http://127.0.0.1:{server.getsockname()[1]}"
        sql = f"set home_directory = '{tmp_path}'; install quack from '{at}'"

        held = worker_of(nursery, copies, *layers)
        assert "Could not establish connection" in refused(held, sql)
        assert knocks == []
        loose = worker_of(nursery, copies, *layers, "seccomp")
        assert refused(loose, sql)
        assert knocks
        held.close()
        loose.close()


def take(server: socket.socket, knocks: list[bytes]) -> None:
    """Note whoever connects, and let them go."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            knocks.append(connection.recv(100))
