"""Workers of the SQL access point for tests: copies of small tables, and one question at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from mesh.errors import MeshError
from mesh.sql.limits import Limits
from mesh.sql.nursery import Nursery, Worker
from mesh.sql.session import Copy

__all__ = ["PROGRAM", "ask", "asked", "copy_of", "refused", "worker_of"]

PROGRAM = "mesh.wiring.sql_zygote"


def copy_of(folder: Path, name: str = "sales.contracts.contracts", *, rows: int = 3) -> Copy:
    """A copy of a port with a few rows."""
    domain, product, port = name.split(".")
    path = folder / f"{name}.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"create table rows as select i as id, 'row ' || i as text from range({rows}) t(i)"
        )
    columns = ("id", "text")
    return Copy(domain=domain, product=product, port=port, columns=columns, generation=1, path=path)


def worker_of(nursery: Nursery, copies: list[Copy], *without: str, **limits: Any) -> Worker:
    """A worker with small limits, some of them switched off."""
    small: dict[str, Any] = {"space_mb": 900, "memory_mb": 200, "cpu_s": 1}
    return nursery.worker(copies, Limits(**{**small, **limits}, without=frozenset(without)))


def asked(sql: str, form: str = "json", parameters: Any = ()) -> dict[str, object]:
    """A query as a worker is asked it."""
    return {
        "sql": sql,
        "parameters": parameters,
        "is_plan": False,
        "format": form,
        "offsets": {"topic": {"0": 7}},
    }


def ask(worker: Worker, sql: str, parameters: Any = ()) -> list[list[Any]]:
    """The rows of a query."""
    found: list[list[Any]]
    found = json.loads(b"".join(worker.ask(asked(sql, parameters=parameters))))["rows"]
    return found


def refused(worker: Worker, sql: str) -> str:
    """Why a query has no answer; nothing where it has one."""
    try:
        ask(worker, sql)
    except MeshError as error:
        return str(error)
    return ""
