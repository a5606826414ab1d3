"""DuckDB as a worker opens it: copies of granted ports under their names, and nothing else.

    customer_service.call_center.calls      domain, product, port

Of a port that is not granted there is no copy, so it is as unknown as one that does not exist.
Settings shut DuckDB as far as it can be; what holds are the limits of the process (`limits`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from mesh.errors import WrongUse
from mesh.product.duck import quoted
from mesh.product.dump_sql import literal
from mesh.sql.limits import Limits, confine
from mesh.sql.part import part_of
from mesh.sql.promise import bound, judged

__all__ = ["ROWS", "Copy", "Query", "connect", "results"]

# The one table of a copy.
ROWS = "rows"
BATCH_ROWS = 10_000
SHUT = (
    "set temp_directory = ''",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set python_enable_replacements = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)
ASKS = ("SELECT", "EXPLAIN")
# In Arrow, a large one is -1, and the others are bytes of DuckDB's own.
UNTOLD = re.compile(r"\b(UHUGEINT|BIGNUM|BIT)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A file with the rows of one port as of a *generation*, by the three parts of its name.

    Of a port that is published by day, the rows are in the files *parquet*. One that cannot be
    read now says *why_not*, to whoever asks for its rows and to nobody else.
    """

    domain: str
    product: str
    port: str
    columns: tuple[str, ...]
    generation: int
    path: Path
    parquet: tuple[Path, ...] = ()
    why_not: str = ""

    @property
    def readable(self) -> tuple[Path, ...]:
        """Every file that a worker opens for it."""
        return () if self.why_not else self.parquet or (self.path,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question: SQL, and the values of its parameters, by place or by name.

    One that has a name has a *promise*, by which its answer is judged; of a mart's, a *part* says
    which of its rows are wanted.
    """

    sql: str
    parameters: Sequence[object] | dict[str, object] = ()
    is_plan: bool = False
    promise: Mapping[str, Any] | None = None
    part: Mapping[str, Any] | None = None


def connect(copies: Sequence[Copy], limits: Limits) -> duckdb.DuckDBPyConnection:
    """A confined process's database in memory, in which *copies* have their names."""
    # Outside, DuckDB looks for the memory that its container has, and dies if that is refused.
    connection = duckdb.connect()
    confine(limits, [path for each in copies for path in each.readable])
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set threads = 1")
    connection.execute(f"set memory_limit = '{limits.memory_mb}MB'")
    for number, copy in enumerate(copies):
        if not copy.parquet and not copy.why_not:
            path = literal(str(copy.path))
            connection.execute(f"attach {path} as _{number} (read_only)")
        connection.execute(f"attach if not exists ':memory:' as {quoted(copy.domain)}")
        schema = f"{quoted(copy.domain)}.{quoted(copy.product)}"
        connection.execute(f"create schema if not exists {schema}")
        columns = ", ".join(map(quoted, copy.columns))
        connection.execute(
            f"create view {schema}.{quoted(copy.port)} as"
            f" select {columns} from {rows_of(copy, number)}"
        )
    if limits.has("settings"):
        files = ", ".join(literal(str(path)) for each in copies for path in each.parquet)
        for setting in (f"set allowed_paths = [{files}]", *SHUT):
            connection.execute(setting)
    return connection


def rows_of(copy: Copy, number: int) -> str:
    """Where a view finds the rows of the copy with this number."""
    if copy.why_not:
        columns = ", ".join(f"null as {quoted(each)}" for each in copy.columns)
        # In a filter, which no query for rows can do without.
        return f"(select {columns} where error({literal(copy.why_not)})::boolean)"
    if not copy.parquet:
        return f"_{number}.main.{ROWS}"
    return f"read_parquet([{', '.join(literal(str(each)) for each in copy.parquet)}])"


@contextmanager
def results(
    connection: duckdb.DuckDBPyConnection, query: Query, limits: Limits
) -> Iterator[pa.RecordBatchReader]:
    """The rows that *query* asks for, as they come.

    Raises `WrongUse` for what is not one query; whatever it changed in memory is gone afterwards.
    """
    sql = only_query(connection, query.sql) if limits.has("statements") else query.sql
    # A part is computed by way of views and tables of this connection's own.
    is_reading = limits.has("statements") and query.part is None
    connection.execute("begin transaction read only" if is_reading else "begin")
    try:
        if query.promise is None:
            text = f"explain {sql}" if query.is_plan else sql
            found = connection.execute(text, query.parameters)
        elif query.part is not None:
            found = part_of(connection, sql, query.promise, query.part)
        elif isinstance(query.parameters, dict):
            values = bound(connection, query.promise, query.parameters)
            found = judged(connection, sql, values, query.promise)
        else:
            raise WrongUse("a query that has a name is asked with values by their names")
        require_told(found)
        yield found.to_arrow_reader(BATCH_ROWS)
    finally:
        with suppress(duckdb.Error):
            connection.execute("rollback")


def require_told(found: duckdb.DuckDBPyConnection) -> None:
    """Raise `WrongUse` for a column that DuckDB would hand to Arrow as something else."""
    for name, kind, *_ in found.description or ():
        if UNTOLD.search(str(kind)):
            raise WrongUse(f"{name} is a {kind}, which no format here has: cast it to varchar")


def only_query(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The text of the one query in *sql*. Raises `WrongUse` where it is anything else."""
    statements = connection.extract_statements(sql)
    kinds = [each.type.name for each in statements]
    if len(kinds) != 1 or kinds[0] not in ASKS:
        found = ", ".join(kinds).lower() or "nothing"
        raise WrongUse(f"send one query (select, with, explain, describe, …); this is {found}")
    return str(statements[0].query)
