"""Marts for tests of the SQL access point: how many orders have a number, and the sum of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mesh.sql.marts import Marts
from tests.queries import ORDERS, PEOPLE, named_in
from tests.sql import Access, opened_access

__all__ = ["KEYS", "SQL", "UNLIMITED", "opened_marts", "put_mart"]

SQL = "select n, count(*) as orders from sales.shop.orders where n > 1 group by n having orders < 4"
UNLIMITED = {name: replace(each, is_limited=False) for name, each in PEOPLE.items()}
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
    with opened_access(folder, named=named_in(folder / "queries", UNLIMITED)) as access:
        yield access, access.marts
