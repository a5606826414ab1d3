"""A worker: one process that answers one principal's queries, confined before it opens anything.

It is forked by `zygote`, and speaks over one descriptor. Not here: who asks, and for how long.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from mesh.errors import MeshError
from mesh.sql.frames import (
    DATA,
    END,
    ERROR,
    HEAD,
    document_of,
    read_frame,
    write_document,
    write_frame,
)
from mesh.sql.limits import Limits, allow_cpu
from mesh.sql.promise import Broken
from mesh.sql.session import Copy, Query, connect, results

__all__ = ["Encode", "work"]

# A format's name, the rows, and the offsets that they are true for; the answer in pieces.
Encode = Callable[[str, pa.Schema, Iterable[pa.RecordBatch], Mapping[str, Any]], Iterator[bytes]]
LARGEST_FRAME = 1024 * 1024
UNKNOWN = re.compile(r"Error: (Table with name|Catalog|Schema) .* does not exist")
UNGRANTED = (
    "A port that is not granted is not there either: see `mesh sql --tables`, and ask for it with"
    " `mesh access request`."
)


class TooLarge(MeshError):
    """The answer has more bytes than it may have."""


def work(channel: int, copies: list[Copy], limits: Limits, encode: Encode) -> None:
    """Answer the queries that come over *channel*, until it is closed."""
    try:
        connection = connect(copies, limits)
    except (OSError, duckdb.Error) as error:
        write_document(channel, ERROR, {"reason": f"a worker cannot start: {first_line(error)}"})
        return
    write_frame(channel, HEAD)
    while (frame := read_frame(channel)) is not None:
        answer(channel, connection, document_of(frame[1]), limits, encode)


def answer(
    channel: int,
    connection: duckdb.DuckDBPyConnection,
    asked: Mapping[str, Any],
    limits: Limits,
    encode: Encode,
) -> None:
    """Answer one query: pieces and an end with what it cost, or an error instead of it."""
    query = Query(
        sql=asked["sql"],
        parameters=asked["parameters"],
        is_plan=asked["is_plan"],
        promise=asked.get("promise"),
        part=asked.get("part"),
    )
    allow_cpu(limits)
    left, rows, before = limits.result_bytes, [0], cpu_s()
    try:
        with results(connection, query, limits) as reader:
            for piece in encode(
                asked["format"], reader.schema, counted(reader, rows), asked["offsets"]
            ):
                left -= len(piece)
                if left < 0:
                    most = limits.result_bytes // 1_000_000
                    raise TooLarge(f"the answer has more than {most} MB: ask for less")
                for begin in range(0, len(piece), LARGEST_FRAME):
                    write_frame(channel, DATA, piece[begin : begin + LARGEST_FRAME])
        cost = {"rows": rows[0], "cpu_ms": round(1000 * (cpu_s() - before))}
        write_document(channel, END, cost)
    # Whatever goes wrong inside is the query's, or we are killed for it.
    except Exception as error:
        is_broken = isinstance(error, Broken)
        write_document(channel, ERROR, {"reason": reason_of(error), "is_broken": is_broken})


def counted(reader: pa.RecordBatchReader, rows: list[int]) -> Iterator[pa.RecordBatch]:
    """The batches of *reader*, whose rows are added to the one number of *rows*."""
    for batch in reader:
        rows[0] += batch.num_rows
        yield batch


def cpu_s() -> float:
    """The CPU time that this process has taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def reason_of(error: Exception) -> str:
    """What to tell whoever asked, in one line: where in the query, they see themselves."""
    text = " ".join(str(error).partition("\nLINE ")[0].split()) or type(error).__name__
    if isinstance(error, MemoryError) or "Out of Memory" in text or "std::bad_alloc" in text:
        return "the query needs more memory than a query may have: ask for less at once"
    return f"{text} {UNGRANTED}" if UNKNOWN.search(text) else text


def first_line(error: Exception) -> str:
    """The first line of an error."""
    return str(error).split("\n", maxsplit=1)[0]
