"""Named queries for tests of the SQL access point, and people of whom one is limited to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mesh.contract.people import Person
from mesh.query.files import load_queries
from mesh.wiring.sql_named import Named

__all__ = ["ORDERS", "PER_N", "named_in", "put_query"]

# What is asked of it, or when its rows are made, is *more*.
ORDERS = """\
/*
name: {name}
version: 1.2.0
owner: grace
description: Orders by their number.
{more}
result:
  - name: n
    logicalType: integer
    required: true
    primaryKey: true
    logicalTypeOptions: {{maximum: 50}}
  - name: orders
    logicalType: integer
    required: true
*/
{sql}
"""
ABOVE = """\
parameters:
  - name: above
    logicalType: integer
    logicalTypeOptions: {{minimum: 0}}"""
# Orders by their number, of those above one.
PER_N = ORDERS.replace("{more}", ABOVE)
SQL = "select n, count(*) as orders from sales.shop.orders where n > $above group by n order by n"
PEOPLE = {
    "ada": Person(name="ada", domain="sales", queries=("per-n",), is_limited=True),
    "grace": Person(name="grace", domain="sales"),
}


def put_query(folder: Path, name: str = "per-n", sql: str = SQL) -> None:
    """A file of a query."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(PER_N.format(name=name, sql=sql))


def named_in(folder: Path, people: Mapping[str, Person] = PEOPLE) -> Named:
    """The named queries in *folder*, for *people*."""
    queries = load_queries(folder, people)
    return Named(queries={each.name: each for each in queries}, people=people)
