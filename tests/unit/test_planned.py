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


def test_what_duckdb_asks_of_the_rows_is_answered(planned):
    pieces = [{"a": [1, 2], "b": ["x", None]}, {"a": [3], "b": ["y"]}]
    rows = pa.concat_tables([pa.table(each) for each in pieces])

    def found(sql: str) -> list[tuple[object, ...]]:
        with planned.holding("r", rows):
            return planned.execute(sql).fetchall()

    assert found("select b, a from r") == [("x", 1), (None, 2), ("y", 3)]
    assert found("select b from r where a > 1 order by a desc") == [("y",), (None,)]
    assert found("select a from r where b is null and a in (1, 2)") == [(2,)]
    assert found("select count(*) from r") == [(3,)]
