"""What the SQL access point is called, how long a text it takes, and how it says no."""

from __future__ import annotations

__all__ = ["LONGEST_SQL", "NOWHERE", "SQL", "SQL_SERVICE"]

SQL = "mesh-sql"
SQL_SERVICE = "sql"
# In bytes.
LONGEST_SQL = 100_000
# Where the limits for workers do not exist; the reason comes after it.
NOWHERE = "SQL is not answered here"
