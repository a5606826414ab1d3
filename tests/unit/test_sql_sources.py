"""Of which input fields a query's columns are made, against what changing them does."""

from __future__ import annotations

import duckdb
import pytest

from mesh.contract.sqlrows import Rows, Unclear
from mesh.contract.sqlsources import sources_of
from tests.query_truth import inputs, missing, random_query

QUERIES = (
    "select * from t",
    "select q.* exclude (a), q.a + 1 as z from t q",
    "select * replace (b + c as a) from t",
    "select * rename (a as z) from t",
    "select a as z, z + 1 as y from t",
    "from t select a, b where c > 1",
    "select * from t join u using (a)",
    "select a from t left join u using (a)",
    "select a, b from t natural join u",
    "select t.a, u.a from t full join u on t.b = u.d",
    "select a_1 as z from (select t.a, u.a from t join u on t.b = u.d)",
    "select * from (select t.a, u.a from t join u on t.b = u.d)",
    "select a from t semi join u using (a) anti join v on v.b = t.b",
    "select a, b from t union all by name select a, d from u",
    "select a, b from t union select d, e from u",
    "select a from t except all select d from u",
    "with x(i, j) as (select a, b from t) select j from x",
    "with recursive r as (select a, b from t union select a + 1, b from r where a < 3)"
    " select * from r",
    "select unnest({'p': a, 'q': b}) from t",
    "select c, unnest(arg_max(struct_pack(a, b), a + b)) from t group by c order by all",
    "select p + 1 as z from (select unnest(max(struct_pack(p := a, q := b))) from t)",
    "select s.p as z from (select struct_pack(p := a, q := b) as s from t)",
    "select s.* from (select struct_pack(p := a, q := b) as s from t)",
    "select unnest([a, b]) as z, c from t",
    "select x from t, unnest([t.a, t.b]) as w(x)",
    "select z from t, lateral (select t.a + 1 as z)",
    "select columns('a|b') from t",
    "select max(columns(*)) from t",
    "select q from t q",
    "select a, sum(b) over w as z from t window w as (partition by a order by c)",
    "select a from t qualify rank() over (order by b, c) = 1",
    "select a, count(*) as n from t group by 1 having max(b) > 1",
    "select a + b as z, max(c) as n from t group by z",
    "select a, max(b) as b from t group by all",
    "select count(*) as n from t where a > 1",
    "select a from t order by b, c limit 2",
    "select distinct on (a) a, b from t order by a, b, c",
    "select (select max(d) from u where u.a = t.a) as z from t",
    "select (select list(d order by e) from u) as z",
    "select a in (select d from u) as z from t",
    "select list_transform([a, b], lambda x: x + c) as z from t",
    "select [x + c for x in [a, b] if x > 1] as z from t",
    "select \"max(b)\" + 1 as z from (select max(b) from t)",
    "select * from (values (1), (2)) w(x), t",
    "select x from (select a, b from t) as y(x, z)",
    "select A, T.B from T",
    "select a: b + 1 from t",
    "select * from t unpivot (x for y in (a, b))",
    "table t",
)  # fmt: skip


@pytest.mark.parametrize("sql", QUERIES)
def test_no_field_is_left_out_of_what_a_column_is_made_of(sql: str) -> None:
    found = sources_of(sql, inputs())
    assert [each for seed in range(2) for each in missing(sql, found, seed)] == []


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 40), pytest.param(40, 800, marks=[pytest.mark.long, pytest.mark.timeout(1200)])],
)
def test_of_random_queries_no_field_is_left_out_either(first: int, last: int) -> None:
    tried = 0
    for seed in range(first, last):
        sql = random_query(seed)
        try:
            faults = missing(sql, sources_of(sql, inputs()), seed)
        except duckdb.Error:
            continue  # what DuckDB refuses, no port has
        tried += 1
        assert faults == [], sql
    assert tried > (last - first) * 0.7


def test_a_reader_that_forgets_what_decides_the_rows_is_found_out() -> None:
    sql = "select a from t where b > 1"
    found = sources_of(sql, inputs())
    forgetful = Rows(columns=found.columns, other=found.other)
    assert {each for seed in range(4) for each in missing(sql, forgetful, seed)} == {"a <- t.b"}


def test_a_field_that_a_column_has_nothing_of_is_not_named() -> None:
    found = sources_of("with x as (select * from t) select a, b + c as z from x", inputs())
    assert set(found.column("a") or ()) == {("t", "a")}
    assert set(found.column("z") or ()) == {("t", "b"), ("t", "c")}
    assert found.decides == frozenset()


def test_a_filter_decides_rows_and_makes_no_value() -> None:
    found = sources_of("select a from t join u using (a) where d > 1", inputs())
    assert set(found.column("a") or ()) == {("t", "a"), ("u", "a")}
    assert found.decides == {("t", "a"), ("u", "a"), ("u", "d")}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select a from elsewhere", "elsewhere is no input port"),
        ("select a from main.t", "main.t is no input port"),
        ("select #1 from t", "it names a column by its place"),
        ("pivot t on a using sum(b)", "pivot is no query that is understood"),
        ("select (((", "sqlglot cannot read it"),
        ("select " + "(" * 5000 + "a" + ")" * 5000 + " from t", "nested too deeply"),
    ],
)
def test_what_it_does_not_understand_it_says(sql: str, reason: str) -> None:
    with pytest.raises(Unclear, match=reason):
        sources_of(sql, inputs())
