"""Publishes reports from where each comes: the warehouse's file, or the SQL access point.

The mesh's rows are asked as the product that publishes them, so its grants are what counts.
Not here: which source it is (`mesh.migrate.decisions`), and how days change (`mesh.product.days`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from mesh.cli.legacy import opened
from mesh.cli.migrate_compare import SqlDoor
from mesh.cli.migrate_facts import Migration
from mesh.errors import WrongUse
from mesh.migrate.decisions import source_of
from mesh.migrate.facade import MESH, WAREHOUSE, lay
from mesh.product.batch import Asked
from mesh.product.duck import quoted
from mesh.wiring.runs import run_once

if TYPE_CHECKING:
    from mesh.migrate.decisions import Decision
    from mesh.migrate.nights import Nights

__all__ = ["publish_reports"]

Rows = Iterator[tuple[date, pa.Table]]


def publish_reports(
    migration: Migration,
    decisions: Sequence[Decision],
    names: Sequence[str],
    day: date | None,
    say: Callable[[str], None],
) -> dict[str, int]:
    """Publish reports, up to a day or the last night, from where *decisions* say each comes.

    Of each, how many days are new.
    """
    app, product = migration.app, migration.product.id
    first, last = migration.nights
    days = tuple(days_between(first, day or last))
    if not days:
        raise WrongUse(f"{day} is before the first night, {first}")
    done = {}
    for name in names:
        say(name)
        folder, contract = app.home.by_day(product, name), migration.contract(name)
        if source_of(decisions, name) == MESH:
            lay(folder, contract, MESH, from_mesh(migration, name, days))
        else:
            known = [each for each in days if each <= last]
            with opened(app, migration.seed) as warehouse:
                rows = from_warehouse(warehouse, migration.reports[name], known)
                lay(folder, contract, WAREHOUSE, rows)
        asked = Asked(as_of=days[-1], say=say, options={"report": name})
        run = run_once(app.settings, app.home, app.project, product, asked)
        done[name] = len(run["reports"][name]["published"])  # type: ignore[index]  # its own answer
    return done


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last."""
    while first <= last:
        yield first
        first += timedelta(days=1)


def from_warehouse(warehouse: Nights, report: str, days: Sequence[date]) -> Rows:
    """The rows of a report, by day."""
    sql = f"select * from report.{quoted(report)} where day = ?"
    for day in days:
        yield day, warehouse.connection.execute(sql, [day]).to_arrow_table()


def from_mesh(migration: Migration, report: str, days: Sequence[date]) -> Rows:
    """The rows of a report's query, by day."""
    sql, door = migration.query(report).sql, SqlDoor(migration.app, migration.product.id)
    for day in days:
        yield day, door.ask(sql, day).rows
