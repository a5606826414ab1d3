"""Tests of statements over Arrow rows that are planned once."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from mesh.product.duck import connect_memory
from mesh.product.planned import Planned

TOTAL = 'select sum("a") from "the rows"'


@pytest.fixture
def planned():
    connection = connect_memory()
    yield Planned(connection)
    connection.close()


def total(planned: Planned, rows: pa.Table) -> object:
    with planned.holding("the rows", rows):
        return planned.execute(TOTAL).fetchall()[0][0]


def test_a_statement_sees_the_rows_that_are_held_when_it_runs(planned):
    found = [total(planned, pa.table({"a": each})) for each in ([1, 2], [3], [4, 5, 6])]

    assert found == [3, 3, 15]


def test_rows_of_another_type_are_never_read_as_those_before(planned):
    assert total(planned, pa.table({"a": [1, 2]})) == 3
    assert total(planned, pa.table({"a": [0.5, 2.0]})) == 2.5
    assert total(planned, pa.table({"b": ["x"], "a": [7]})) == 7


def test_nothing_is_left_of_rows_after_the_block(planned):
    total(planned, pa.table({"a": [1]}))

    assert planned.execute(TOTAL).fetchall() == [(None,)]


def test_a_table_made_anew_has_its_statements_planned_anew(planned):
    insert = 'insert into kept select "a" from "the rows"'
    for _ in range(3):
        planned.connection.execute("create or replace table kept (a bigint)")
        with planned.holding("the rows", pa.table({"a": [1, 2]})):
            planned.execute(insert)
        assert planned.connection.execute("select count(*) from kept").fetchall() == [(2,)]


def test_after_a_rollback_it_begins_anew(planned):
    planned.connection.execute("begin")
    total(planned, pa.table({"a": [1]}))
    planned.connection.execute("rollback")
    planned.forget()

    assert total(planned, pa.table({"a": [2]})) == 2


def test_a_statement_that_fails_for_some_rows_does_not_for_others(planned):
    sql = """select case when "a" < 0 then error('less') else "a" end from "the rows" """
    for _ in range(2):
        with planned.holding("the rows", pa.table({"a": [-1]})), pytest.raises(duckdb.Error):
            planned.execute(sql).fetchall()
        with planned.holding("the rows", pa.table({"a": [1]})):
            assert planned.execute(sql).fetchall() == [(1,)]


def test_values_are_taken_as_they_are(planned):
    planned.connection.execute("create table kept (a bigint, t varchar)")
    given = [(1, "it's"), (-(2**62), "'); drop table kept; --"), (0, "ü\n$1")]

    for number, text in given:
        planned.execute("insert into kept values ($1, $2)", number, text)

    assert planned.connection.execute("from kept").fetchall() == given


def of_all_types() -> pa.Table:
    """Rows in two pieces, with nulls, and a name that could be taken for a path."""
    columns: dict[str, pa.Array] = {
        "s": pa.array([{"a": 1, "b": "x"}, None, {"a": 3, "b": None}]),
        "l": pa.array([[1, 2], [], None]),
        "a.b": pa.array([1, 2, 3]),
        "t": pa.array([0, None, 1_767_312_000_000_000], pa.timestamp("us", tz="UTC")),
        "d": pa.array(["1.50", None, "-3.25"]).cast(pa.decimal128(20, 2)),
        "u": pa.array(["é", "", None]),
        "f": pa.array([float("nan"), 1.0, None]),
        "day": pa.array([0, None, -719_162], pa.int32()).cast(pa.date32()),
    }
    rows = pa.table(columns)
    return pa.concat_tables([rows.slice(0, 2), rows.slice(2)])


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from r",
        "select * from r",
        "select u, f, s from r",
        "select s.a, l[1] from r",
        "select s.a from r where s.a > 1",
        'select "a.b" from r where "a.b" = 2',
        "select t from r where t > '2026-01-01'",
        "select day from r where day < '1900-01-01'",
        "select d from r where d < 0",
        "select u from r where u = 'é' or u is null",
        "select u from r where u like 'é%'",
        "select u from r where u in ('é', '', 'z')",
        "select f from r where f > 0.5",
        "select f from r where f = 'nan'",
        'select r.u, q.d from r join r q on r."a.b" = q."a.b"',
        'select max("a.b") over (), u from r order by u',
        'select u from r order by "a.b" desc limit 1',
    ],
)
def test_what_is_asked_of_held_rows_is_answered_as_by_the_table_itself(planned, sql):
    rows = of_all_types()
    other = duckdb.connect()
    other.execute("set TimeZone = 'UTC'")
    other.register("r", rows)

    with planned.holding("r", rows):
        found = planned.execute(sql).to_arrow_table().to_pylist()

    # As text, since NaN is not itself.
    assert repr(found) == repr(other.execute(sql).to_arrow_table().to_pylist())
    other.close()
