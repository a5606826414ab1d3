"""DuckDB as an internal storage uses it: opened shut, in transactions, with tables of contracts.

Not here: what the storage keeps in them (`storage`).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.types import duckdb_columns
from mesh.errors import AlreadyRunning, NoRoom, StorageError
from mesh.product.storage_memory import LEAST_MB, is_out_of_memory, limit_mb, memory_error

__all__ = [
    "ORIGIN",
    "as_json",
    "batch_error",
    "columns_of",
    "connect",
    "connect_memory",
    "is_full",
    "is_usable",
    "leave_as_written",
    "quoted",
    "storage_error",
    "table_exists",
    "transaction",
]

# Which message a kept row came from.
ORIGIN = (("_partition", "INTEGER"), ("_offset", "BIGINT"))
# One thread is as fast as two here, with less memory and two thirds of the CPU time.
THREADS = 1
# Of the log, before its rows go into the file: twice the default halves the time of a commit.
CHECKPOINT = "32MB"
# To try these on each column takes a quarter of a checkpoint's time, while nothing is taken in.
NOT_TRIED = "fsst,dict_fsst"
# As the operating system says it: the disk, a quota, a limit of the process.
FULL = tuple(os.strerror(each) for each in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
ROWS_AS_JSON = "select to_json(r)::varchar from _rows r"


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the file, shut to everything outside it."""
    try:
        connection = duckdb.connect(str(path))
        connection.execute('create schema if not exists "input"')
        # What a query of a product names is an input; all our own SQL names its schema.
        connection.execute("set search_path = 'input,main'")
        connection.execute(f"set checkpoint_threshold = '{CHECKPOINT}'")
        connection.execute(f"set disabled_compression_methods = '{NOT_TRIED}'")
        # The one setting that `leave_as_written` changes later.
        connection.execute("set allowed_configs = ['max_vacuum_tasks']")
        return shut(connection, limit_mb(path))
    except duckdb.Error as error:
        raise storage_error(path, error) from error


def leave_as_written(connection: duckdb.DuckDBPyConnection) -> None:
    """Let no later checkpoint put row groups together; those that are all deleted go even so.

    A checkpoint ends a row group, and DuckDB would write it again with its neighbours, two and
    three times: more than half of all that commits take, in pauses of seven times a checkpoint's.
    For tables from which little is deleted: another grows by every row that is replaced.
    """
    connection.execute("set max_vacuum_tasks = 0")


def connect_memory() -> duckdb.DuckDBPyConnection:
    """A database without a file, as shut, where a query that fails harms no transaction."""
    return shut(duckdb.connect())


def as_json(rows: pa.Table) -> list[str]:
    """Each of *rows* as a JSON object, whatever it holds: Python's dates end at the year 9999."""
    with connect_memory() as connection:
        connection.register("_rows", rows)
        return [text for (text,) in connection.execute(ROWS_AS_JSON).fetchall()]


def shut(
    connection: duckdb.DuckDBPyConnection, memory_mb: int = LEAST_MB
) -> duckdb.DuckDBPyConnection:
    """*connection*, from which no file, extension or setting can be reached."""
    connection.execute("set TimeZone = 'UTC'")
    # DuckDB would take four fifths of the machine, and spills instead.
    connection.execute(f"set memory_limit = '{memory_mb}MB'")
    connection.execute(f"set threads = {THREADS}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def storage_error(
    path: Path, error: duckdb.Error, rebuilt: str = "it is rebuilt from the topics"
) -> StorageError | AlreadyRunning:
    """The error of our tree for a storage that DuckDB cannot open or change.

    *rebuilt* says how there is another, once the file is removed.
    """
    if "Could not set lock" in str(error):
        holder = re.search(r"\(PID (\d+)\)", str(error))
        who = f"pid {holder[1]}" if holder else "another process"
        return AlreadyRunning(f"{path.parent.name} already runs ({who} has its storage open)")
    if is_out_of_memory(error):
        return memory_error(path)
    if is_full(error):
        return NoRoom(f"the disk of {path} is full: make room, and it goes on by itself")
    return StorageError(
        f"the internal storage {path} cannot be used: {str(error).splitlines()[0]}; "
        f"make room, or remove the file: {rebuilt}"
    )


def batch_error(path: Path, error: duckdb.Error) -> StorageError:
    """The error of our tree for a batch that DuckDB refused."""
    if is_out_of_memory(error):
        return memory_error(path)
    words = (
        f"the internal storage refused a batch: {str(error).splitlines()[0]}; nothing of it is kept"
    )
    if is_full(error):
        return NoRoom(f"{words}: make room, and it is taken in again")
    return StorageError(words)


def is_usable(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file may still be used: DuckDB shuts it where a checkpoint failed."""
    try:
        connection.execute("select 1").fetchall()
    except duckdb.Error:
        return False
    return True


def is_full(error: duckdb.Error) -> bool:
    """Whether DuckDB failed for want of room, here or in what it spills."""
    return any(reason in str(error) for reason in FULL)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, or leave nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        # A fatal error has already ended the transaction, and the first error is the story.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    connection.execute("commit")


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the table is there."""
    rows = connection.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [schema, table]
    ).fetchall()
    return bool(rows)


def columns_of(schema: str, contract: Contract) -> list[tuple[str, str]]:
    """Name and SQL type of each column of a port's table in *schema*."""
    # A row of a state port comes from no one message.
    has_origin = schema == "input" or contract.kind == "event"
    return [*duckdb_columns(contract), *(ORIGIN if has_origin else ())]


def quoted(name: str) -> str:
    """A generated identifier; unquoted, names such as `at` or `last` break DuckDB's parser."""
    return '"' + name.replace('"', '""') + '"'
