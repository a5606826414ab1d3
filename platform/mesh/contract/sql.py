"""The names of the SQL access point: its principal and its service."""

from __future__ import annotations

__all__ = ["SQL", "SQL_SERVICE"]

SQL = "mesh-sql"
SQL_SERVICE = "sql"
