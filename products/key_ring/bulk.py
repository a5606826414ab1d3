"""Millions of questions at once, in SQL: each identifier as of its own instant.

`LINKS` is the view to join by hand:

    select c.call_id, l.to_id as contract_number
    from calls c join links_now l
        on l.relation = 'phone-number-contract' and l.from_id = c.phone_number
        and l.valid_from <= c.started_at and c.started_at < l.valid_to

An equality and a range is the fastest join as long as an identifier has few links. One with
thousands is joined by ASOF instead, where its links follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from products.key_ring.chains import Step

__all__ = ["LINKS", "as_of", "resolve_all"]

LINKS = """
select
    relation, from_type, from_id, to_type, to_id,
    coalesce(valid_from, '-infinity') as valid_from,
    coalesce(valid_to, 'infinity') as valid_to,
    authority, statement_id
from {links} where holds
"""
KNOWN = """
select
    relation, from_type, from_id, to_type, to_id,
    coalesce(valid_from, '-infinity') as valid_from,
    coalesce(valid_to, 'infinity') as valid_to,
    authority, statement_id
from {links} l
where known_from <= {at} and ({at} < known_to or known_to is null) and not retracted
    and not exists (
        select 1 from {conflicts} c
        where c.relation = l.relation and c.statement_id = l.statement_id
            and c.known_from <= {at} and ({at} < c.known_to or c.known_to is null)
    )
"""
ANSWERS = """
with
found as (
    select n, min(id) as id, count(distinct id) as many from _here group by n
)

select
    q.id,
    q."at",
    case when f.many = 1 then f.id end as answer,
    coalesce(f.many, 0)::int as count_candidates,
    c.steps::int as count_steps
from _asked q
left join found f using (n)
join _came c using (n)
order by q.n
"""
# From so many links on, an identifier is joined by ASOF.
MANY = 200
# ASOF finds one link: right where each of an identifier's links ends before the next begins.
FOLLOW = """
select id from (
    select {one} as id, valid_from < max(valid_to) over (
        partition by {one} order by valid_from, valid_to
        rows between unbounded preceding and 1 preceding) as runs_over
    from {links}
    where {one} in (select {one} from {links} group by all having count(*) > {many})
) group by id having not coalesce(bool_or(runs_over), false)
"""
BY_RANGE = """
select a.n, l.{other} as id
from {asked} a
join {links} l on l.{one} = a.id and l.valid_from <= a."at" and a."at" < l.valid_to
"""
# Parted before they are joined: else the range is compared with thousands of links a row.
BY_BOTH = """
with
few as materialized (select * from {asked} anti join _follow using (id)),
many as materialized (select * from {asked} semi join _follow using (id)),
links_of_many as materialized (
    select l.* from {links} l semi join _follow f on l.{one} = f.id
)
select a.n, l.{other} as id
from few a
join {links} l on l.{one} = a.id and l.valid_from <= a."at" and a."at" < l.valid_to
union all
select a.n, l.{other} as id
from many a
asof join links_of_many l on l.{one} = a.id and l.valid_from <= a."at"
where a."at" < l.valid_to
"""


def as_of(
    connection: duckdb.DuckDBPyConnection, asked: str, links: str, *, forward: bool = True
) -> str:
    """SQL: the row number `n` of each of *asked* (`n`, `id`, `at`) with every `id` it leads to.

    *links* has one relation's `from_id`, `to_id`, `valid_from` and `valid_to`, no end open. The
    identifiers that are joined by ASOF are found first, and kept in the temporary table `_follow`.
    """
    one, other = ("from_id", "to_id") if forward else ("to_id", "from_id")
    connection.execute(
        f"create or replace temp table _follow as {FOLLOW.format(one=one, links=links, many=MANY)}"
    )
    has_many = connection.execute("select 1 from _follow limit 1").fetchall()
    return (BY_BOTH if has_many else BY_RANGE).format(
        one=one, other=other, asked=asked, links=links
    )


def resolve_all(
    connection: duckdb.DuckDBPyConnection,
    chain: Sequence[Step],
    questions: pa.Table,
    known_at: str | None = None,
) -> pa.Table:
    """Follow *chain* from every `id` as of its `at`, in the order of *questions*.

    Adds `answer` (null unless it is one), `count_candidates`, and over how many relations it
    came. *connection* has the ports `links` and `conflicts` in `main`; its temporary tables are
    used, so nobody else may at the same time.
    """
    numbered = questions.append_column("n", pa.array(range(questions.num_rows), pa.int64()))
    connection.register("_asked", numbered)
    try:
        connection.execute(
            "create or replace temp table _here as"
            ' select n, id, "at"::timestamptz as "at" from _asked'
        )
        connection.execute("create or replace temp table _came as select n, 0 as steps from _here")
        for number, step in enumerate(chain, 1):
            follow(connection, step, number, known_at)
        return connection.sql(ANSWERS).to_arrow_table()
    finally:
        connection.unregister("_asked")


def follow(
    connection: duckdb.DuckDBPyConnection, step: Step, number: int, known_at: str | None
) -> None:
    """Take one relation: `_here` becomes where it leads, `_came` who got there."""
    view = LINKS.format(links="main.links")
    if known_at is not None:
        at = f"timestamptz '{known_at}'"
        view = KNOWN.format(links="main.links", conflicts="main.conflicts", at=at)
    connection.execute(
        f"create or replace temp table _links as select * from ({view})"
        f" where relation = '{step.relation.name}'"
    )
    sql = as_of(connection, "_here", "_links", forward=step.forward)
    connection.execute(
        'create or replace temp table _next as select distinct f.n, f.id, h."at"'
        f' from ({sql}) f join (select distinct n, "at" from _here) h using (n)'
    )
    connection.execute(f"update _came set steps = {number} where n in (select n from _next)")
    connection.execute("create or replace temp table _here as select * from _next")
