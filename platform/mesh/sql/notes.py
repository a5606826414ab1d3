"""What is kept of queries that have run: what named ones cost, and which ports are used together.

Names and figures alone: no text of a query, no value in it, none of a parameter. A thread of its
own reads and writes, so that no answer waits for it; of what comes too fast, some is not counted.
"""

from __future__ import annotations

import hashlib
import json
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesh.backbone.closing import Closing
from mesh.errors import StorageError
from mesh.sql.asked import Ran

if TYPE_CHECKING:
    from mesh.sql.together import Used

__all__ = ["Notes"]

MADE = """
pragma journal_mode = wal;
pragma synchronous = normal;
create table if not exists runs (
    query text, version text, principal text, at text, outcome text,
    milliseconds integer, cpu_ms integer, rows integer, offsets text
);
create index if not exists runs_by_query on runs (query);
create table if not exists costs (
    query text, version text, answered integer, kept integer, broken integer, refused integer,
    milliseconds integer, longest_ms integer, cpu_ms integer, rows integer,
    primary key (query, version)
);
create table if not exists together (
    port text, other text, queries integer, last_at text, primary key (port, other)
);
create table if not exists compared (
    port text, field text, other text, other_field text, queries integer,
    primary key (port, field, other, other_field)
);
"""
RUN = "insert into runs values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
LATEST = """
delete from runs where query = ? and rowid not in (
    select rowid from runs where query = ? order by rowid desc limit ?
)
"""
COST = """
insert into costs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set
    answered = answered + excluded.answered, kept = kept + excluded.kept,
    broken = broken + excluded.broken, refused = refused + excluded.refused,
    milliseconds = milliseconds + excluded.milliseconds,
    longest_ms = max(longest_ms, excluded.longest_ms),
    cpu_ms = cpu_ms + excluded.cpu_ms, rows = rows + excluded.rows
"""
TOGETHER = """
insert into together values (?, ?, 1, ?) on conflict do update set
    queries = queries + 1, last_at = excluded.last_at
"""
COMPARED = """
insert into compared values (?, ?, ?, ?, 1) on conflict do update set queries = queries + 1
"""
OUTCOMES = ("answered", "kept", "broken", "refused")
KEPT_RUNS = 20
MOST_WAITING = 1000
MOST_READ = 512


class Notes(Closing):
    """The notes in the file at *path*, which one process has; *say* is told what goes wrong."""

    def __init__(self, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._connection = opened(path)
        self._waiting: queue.Queue[Ran | None] = queue.Queue(MOST_WAITING)
        self._read: OrderedDict[bytes, Used] = OrderedDict()
        self.uncounted = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._waiting.put(None)
        self._thread.join()
        with self._lock:
            self._connection.close()

    def note(self, ran: Ran) -> None:
        """Have a query noted, soon."""
        try:
            self._waiting.put_nowait(ran)
        except queue.Full:
            self.uncounted += 1

    def settle(self) -> None:
        """Return once all that came before is written."""
        self._waiting.join()

    def costs(self) -> Mapping[str, Mapping[str, Any]]:
        """What each named query has cost, by its name, of its version that ran last."""
        return {each["query"]: each for each in self._rows("select * from costs order by rowid")}

    def runs(self, query: str) -> list[Mapping[str, Any]]:
        """The last runs of a named query, the newest first."""
        found = self._rows("select * from runs where query = ? order by rowid desc", query)
        return [{**each, "offsets": json.loads(each["offsets"])} for each in found]

    def ports(self) -> list[str]:
        """The ports that were used with others."""
        found = self._rows("select port from together union select other from together order by 1")
        return [str(each["port"]) for each in found]

    def together(self, port: str) -> list[Mapping[str, Any]]:
        """The ports that were used with *port*, the most used first, and what was compared."""
        found = self._rows(
            "select iif(port = ?1, other, port) as port, queries, last_at from together"
            " where ?1 in (port, other) order by queries desc, 1",
            port,
        )
        compared = self._rows(
            "select * from compared where ?1 in (port, other) order by queries desc, field", port
        )
        return [{**each, "on": [*compared_with(each["port"], port, compared)]} for each in found]

    def _rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with self._lock:
            try:
                return [dict(each) for each in self._connection.execute(sql, values)]
            except sqlite3.Error as error:
                raise StorageError(f"what is kept of queries cannot be read: {error}") from error

    def _run(self) -> None:
        """Note what comes, until there is nothing more to come."""
        while (ran := self._waiting.get()) is not None:
            try:
                self._write(ran)
            except Exception as error:  # whatever it is, the next one is noted
                self.uncounted += 1
                self._say(f"a query is not counted: {error!r}")
            self._waiting.task_done()
        self._waiting.task_done()

    def _write(self, ran: Ran) -> None:
        used = self._used(ran)
        with self._lock, self._connection:
            if ran.asked.promise is not None:
                self._write_run(ran, used)
            if ran.outcome in ("answered", "kept"):
                self._write_used(used, ran.at.isoformat())

    def _write_run(self, ran: Ran, used: Used) -> None:
        promise, write = ran.asked.promise, self._connection.execute
        assert promise is not None  # noqa: S101 - asked by whoever calls
        topics = {each.topic for each in ran.contracts if each.id in used.ports}
        offsets = {topic: ran.offsets[topic] for topic in sorted(topics)}
        head = (promise.name, promise.version)
        who = (ran.asked.principal, ran.at.isoformat(timespec="milliseconds"), ran.outcome)
        cost = (ran.milliseconds, ran.cpu_ms, ran.rows)
        write(RUN, (*head, *who, *cost, json.dumps(offsets)))
        write(LATEST, (promise.name, promise.name, KEPT_RUNS))
        outcomes = [ran.outcome == each for each in OUTCOMES]
        # What was kept costs nothing, and what has no answer says nothing of one.
        spent = (ran.milliseconds, *cost) if ran.outcome == "answered" else (0, 0, 0, 0)
        write(COST, (*head, *outcomes, *spent))

    def _write_used(self, used: Used, at: str) -> None:
        ports = sorted(used.ports)
        pairs = [(a, b, at) for place, a in enumerate(ports) for b in ports[place + 1 :]]
        self._connection.executemany(TOGETHER, pairs)
        self._connection.executemany(COMPARED, [(*a, *b) for a, b in sorted(used.pairs)])

    def _used(self, ran: Ran) -> Used:
        """What a query uses; of a text that was read before, what was found then."""
        # Takes a tenth of a second, which no start has to wait for.
        from mesh.sql.together import used_in

        sql, ids = ran.asked.sql, ",".join(each.id for each in ran.contracts)
        key = hashlib.sha256(f"{ids}\n{sql}".encode()).digest()
        if key not in self._read:
            self._read[key] = used_in(sql, ran.contracts)
            if len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        return self._read[key]


def opened(path: Path) -> sqlite3.Connection:
    """The file at *path*; one that is damaged is begun anew. Raises `StorageError`."""
    for is_last in (False, True):
        try:
            connection = sqlite3.connect(path, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.executescript(MADE)
        except sqlite3.Error as error:
            if is_last:
                raise StorageError(f"{path} cannot be used: {error}") from error
            for each in (path, *path.parent.glob(f"{path.name}-*")):
                each.unlink(missing_ok=True)
        else:
            return connection
    raise AssertionError


def compared_with(
    other: str, port: str, compared: Iterable[Mapping[str, Any]]
) -> Iterable[Mapping[str, Any]]:
    """Which fields of *port* were compared with which of *other*."""
    for each in compared:
        if {each["port"], each["other"]} == {port, other}:
            ends = {each["port"]: each["field"], each["other"]: each["other_field"]}
            yield {"field": ends[port], "other": ends[other], "queries": each["queries"]}
