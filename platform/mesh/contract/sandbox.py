"""An empty DuckDB in memory that can reach neither files nor extensions, for SQL that files bring.

Not here: which expressions may get there (`expression`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["sandbox"]


def sandbox() -> duckdb.DuckDBPyConnection:
    """A connection of one's own to it; what is made there, but for temporary tables, all see."""
    return locked_down().cursor()


@cache
def locked_down() -> duckdb.DuckDBPyConnection:
    """The one of this process: a project asks some fifty times, and each would take 7 ms."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "256MB"})
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection
