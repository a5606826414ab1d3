"""The ports that a query is said to read are the tables that DuckDB itself sees in it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mesh.contract.people import load_people
from mesh.contract.project import load_project
from mesh.product.event_lint import base_tables, parse
from mesh.query.files import QUERIES, load_queries
from mesh.sql.shelf import name_of
from mesh.sql.together import used_in
from tests.life import ROOT
from tests.sql import EVENTS

SHIPPED = load_queries(ROOT / QUERIES, load_people(ROOT / "company/people.yaml"))
CALLS = replace(EVENTS, id="shop.calls", name="calls", topic="pub.sales.shop.calls.v1")
OTHER = "sales.shop.calls"
FORMS = (
    "select * from {a}",
    "from {a}",
    "from {a} select n",
    "from {a} o where o.n > 1",
    'select * from "sales"."shop"."orders"',
    "select * from SALES.Shop.ORDERS",
    'select * from "SALES".shop."Orders"',
    'select "sales".shop.orders.n from {a}',
    "select a.n from {a} a join {b} b using (id)",
    "select a.n from {a} a, {b} b where a.id = b.id",
    "select a.n from {a} a semi join {b} b using (id)",
    "select a.n from {a} a asof join {b} b on a.id = b.id and a.at >= b.at",
    "select a.n from {a} a positional join {b} b",
    "select n from {a} union all select n from {b}",
    "select n from {a} union by name from {b}",
    "select n from {a} except select n from {b} intersect select n from {b}",
    "(from {a}) union (from {b})",
    "with orders as (select n from {a}) select * from orders",
    "with orders as (select 1 as n) select * from {a}",
    "with orders as (from {b}) select * from orders join {a} o using (n)",
    "with calls as (from {a}), orders as (from calls) select * from orders",
    "with x as materialized (from {a}) from x, x as y",
    "with recursive x as (select n from {a} union all select n + 1 from x where n < 9) from x",
    "select (select max(n) from {b}) from {a}",
    "select * from {a} where id in (select id from {b})",
    "select * from {a} o where exists (from {b} c where c.id = o.id)",
    "select * from {a} o, lateral (select max(n) from {b} c where c.id = o.id) m",
    "select * from (select n from (from {a})) deep",
    "select n from {a} group by n having n > (select min(n) from {b})",
    "select n from {a} order by (select max(n) from {b})",
    "select n, row_number() over (order by n) from {a} qualify row_number() over (order by n) < 3",
    "select case when n in (from {b} select n) then 1 end from {a}",
    "select [x for x in (select list(n) from {b})] from {a}",
    "select count(*) filter (n > (select min(n) from {b})) from {a}",
    "select * exclude (n) from {a}",
    "select columns('n.*') from {a}",
    "select '{b}' as text from {a} -- {b}",
    "select /* {b} */ n from {a}",
    "select n from {a} tablesample 10%",
    "select * from {a} as calls",
    "select calls.n from {a} as calls join {b} as orders using (id)",
    "values (1), ((select max(n) from {a}))",
    "select * from (values (1)) v(n) where n in (select n from {a})",
    "select * from {a}, unnest([1, 2]) u(m)",
    "pivot {a} on n in (1, 2) using count(*)",
    "unpivot {a} on n into name k value v",
    "from {a} pivot (count(*) for n in (1, 2))",
    "describe select * from {a}",
    "summarize {a}",
    "from shop.orders",
    "from orders",
    "select 1 as n",
)


def ports_of(sql, contracts):
    """The ports that DuckDB's tree of *sql* names."""
    tree = parse(sql)
    ids = {".".join(name_of(each)): each.id for each in contracts}
    return {ids[name] for name in base_tables(tree) if name in ids}


@pytest.mark.parametrize("form", FORMS)
def test_the_ports_of_a_query_are_those_that_duckdb_sees(form):
    contracts = [EVENTS, CALLS]
    sql = form.format(a="sales.shop.orders", b=OTHER)

    assert used_in(sql, contracts).ports == ports_of(sql, contracts)


@pytest.mark.parametrize("query", SHIPPED, ids=lambda each: each.name)
def test_the_ports_of_a_query_that_ships_are_those_that_duckdb_sees(query):
    contracts = [*load_project(ROOT).contracts.values()]
    found = used_in(query.sql, contracts).ports

    assert found == ports_of(query.sql, contracts)
    assert found


@pytest.mark.parametrize("sql", ["explain select 'hush'", "call hush()", "select 'hush"])
def test_the_text_of_a_query_is_in_no_log(sql, caplog):
    logger = logging.getLogger("sqlglot")
    used_in(sql, [EVENTS])
    logger.warning("of somebody else")

    assert caplog.messages == ["of somebody else"]
    assert logger.filters == []
