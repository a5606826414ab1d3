"""The program that workers of the SQL access point are forked from: formats, and no secret."""

from __future__ import annotations

import datetime
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from mesh.lean import keep_out_pandas
from mesh.ports.formats import FORMATS, Notes, encode
from mesh.sql.zygote import serve_workers

__all__ = ["encoded"]


def encoded(
    form: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], offsets: Mapping[str, Any]
) -> Iterator[bytes]:
    """Rows in a format, with the offsets that they are true for."""
    return encode(form, schema, batches, Notes(offsets=offsets))


def warm_up() -> None:
    """Have every format loaded: a worker can open no file, of Python's modules neither."""
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    row = {"at": at, "amount": Decimal("1.50"), "list": [at], "text": "a"}
    table = pa.Table.from_pylist([row])
    for form in FORMATS:
        for _ in encoded(form, table.schema, table.to_batches(), {}):
            pass
    # DuckDB opens a database of its own when it is imported, whose thread a fork would not have.
    duckdb.close()


if __name__ == "__main__":
    keep_out_pandas()
    warm_up()
    serve_workers(socket.socket(fileno=int(sys.argv[1])), encoded)
