"""Marts for tests of the SQL access point: how many orders have a number, and the sum of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.query.files import load_queries
from mesh.sql.marts import Marts
from mesh.wiring.sql_marts import marts_of
from tests.queries import ORDERS, PEOPLE
from tests.sql import EVENTS, SECRETS, Access, opened_access

__all__ = ["KEYS", "SQL", "opened_marts", "put_mart"]

SQL = "select n, count(*) as orders from sales.shop.orders where n > 1 group by n having orders < 4"
KEYS = "select n from changed_shop_orders"
NEEDS = "-- rows of: shop_orders\nfrom sales.shop.orders semi join _touched using (n)"


def put_mart(
    folder: Path,
    name: str = "per-n",
    sql: str = SQL,
    *,
    keys: str = "",
    needs: str = "",
    when: str = "on: new offsets",
) -> None:
    """The files of a mart."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(ORDERS.format(name=name, sql=sql, more=f"mart: {{{when}}}"))
    for kind, text in (("keys", keys), ("needs", needs)):
        if text:
            (folder / f"{name}.{kind}.sql").write_text(text)


@contextmanager
def opened_marts(folder: Path) -> Iterator[tuple[Access, Marts]]:
    """An access point with the marts in *folder*, each of which is refreshed by hand."""
    plans = marts_of(load_queries(folder / "queries", PEOPLE), PEOPLE, [EVENTS, SECRETS], print)
    with opened_access(folder) as access:
        shelf, pool = access.desk.shelf, access.desk.pool
        marts = Marts(folder / "sql", plans, shelf=shelf, pool=pool, granted=access.desk.granted)
        access.desk.marts = marts.shown
        yield access, marts
