"""Looks for words in every copy that a mesh keeps, each through its real reader.

It shares no code with the erasure: topics are read to the last offset, committed or not, storages
by DuckDB, notes by SQLite, and every other file of the state folder as bytes.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import duckdb
from confluent_kafka import Consumer, KafkaError, TopicPartition

__all__ = ["copies_of", "on_topics"]

TIMEOUT_S = 30.0
# What an operational system has sent is its own; the rest is what Kafka keeps for itself.
SPARED = ("feeds/", "backbone/")


def on_topics(
    client: Mapping[str, object], topics: Iterable[str], words: Iterable[str]
) -> Counter[str]:
    """How many messages of each topic mention one of *words*, in key, value or headers."""
    needles = [each.encode() for each in words]
    consumer = Consumer(
        {
            **client,
            "group.id": "tests.erasing",
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    found: Counter[str] = Counter()
    with closing(consumer):
        known = consumer.list_topics(timeout=TIMEOUT_S).topics
        places = [TopicPartition(t, n, 0) for t in topics for n in known[t].partitions]
        consumer.assign(places)
        left = {(each.topic, each.partition) for each in places}
        while left:
            for message in consumer.consume(10_000, 1.0):
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    left.discard((message.topic(), message.partition()))
                    continue
                headers = (value for _, value in message.headers() or ())
                parts = [message.key(), message.value(), *headers]
                text = b"\0".join(each for each in parts if isinstance(each, bytes))
                found[str(message.topic())] += any(each in text for each in needles)
    return +found


def copies_of(home: Path, folder: Path, words: Iterable[str]) -> dict[str, int]:
    """How often each file of the state folder *home* mentions *words*; copies go to *folder*."""
    needles = [each.encode() for each in words]
    shutil.copytree(home, folder, dirs_exist_ok=True)
    paths = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    ours = [path for path in paths if not names[path].startswith(SPARED)]
    # As bytes first: whoever opens a database changes the files beside it.
    found = {path: sum(map(path.read_bytes().count, needles)) for path in ours}
    readers: dict[str, Callable[[Path], Iterator[object]]] = {
        ".duckdb": of_duckdb,
        ".sqlite": of_sqlite,
    }
    for path in ours:
        if reader := readers.get(path.suffix):
            values = (v if isinstance(v, bytes) else str(v).encode() for v in reader(path))
            found[path] += sum(any(each in value for each in needles) for value in values)
    return {names[path]: count for path, count in found.items() if count}


def of_duckdb(path: Path) -> Iterator[object]:
    """Every value of every table."""
    with duckdb.connect(str(path)) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables()")
        for schema, table in tables.fetchall():
            for row in connection.execute(
                f'select columns(*)::varchar from "{schema}"."{table}"'
            ).fetchall():
                yield from row


def of_sqlite(path: Path) -> Iterator[object]:
    """Every value of every table."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'")
        for (name,) in names.fetchall():
            for row in connection.execute(f'select * from "{name}"'):
                yield from row
