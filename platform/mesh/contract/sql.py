"""The names of the SQL access point: its principal and its service, and how it says no."""

from __future__ import annotations

__all__ = ["NOWHERE", "SQL", "SQL_SERVICE"]

SQL = "mesh-sql"
SQL_SERVICE = "sql"
# Where the limits for workers do not exist; the reason comes after it.
NOWHERE = "SQL is not answered here"
