"""Tests of the SQL of an event port: what it may hold, and what becomes of a row that fails."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mesh.errors import InvalidFile
from mesh.product.duck import connect_memory
from mesh.product.planned import Planned
from mesh.product.transform import CAUSE, EventQuery, read_event_queries


@pytest.fixture
def lint(tmp_path):
    """Lint a query; every problem in one text, empty where there is none."""

    def problems(sql: str) -> str:
        path = tmp_path / "port.sql"
        path.write_text(sql)
        try:
            read_event_queries(path)
        except InvalidFile as error:
            return "; ".join(fault.problem for fault in error.faults)
        return ""

    return problems


@pytest.mark.parametrize(
    "sql",
    [
        "select a, _cause from new_x",
        "SELECT a, _cause FROM NEW_X;",
        "with t as (select * from new_x), u as (select * from t) select a, _cause from u",
        "select unnest(items) as item, _cause from new_x",
        "select split_part(a, '-', 1) as b, nullif(a, '') as c, list_sum(l), _cause from new_x",
        "select date_add(day, interval 1 day), fdiv(x, 2), _cause from new_x where a > 1",
        "select json_extract(a, '$.b') as b, array_to_string(l, ',') as t, _cause from new_x",
        "select 'current_date, sum(x)' as text, _cause from new_x -- limit 1",
    ],
)
def test_a_map_of_rows_passes(lint, sql):
    assert lint(sql) == ""


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select sum(a) from new_x", "the aggregate sum()"),
        ("select string_agg(a) from new_x", "the aggregate string_agg()"),
        ("select count(*) from new_x", "the aggregate count_star()"),
        ("select wavg(a, b) from new_x", "the aggregate wavg()"),
        ("select geomean(a) from new_x", "the aggregate geomean()"),
        ("select a, _cause from new_x group by all", "GROUP BY"),
        ("select a, _cause from new_x group by ()", "GROUP BY"),
        ("select a, _cause from new_x group by a, _cause", "GROUP BY"),
        ("select row_number() over () from new_x", "a window function"),
        ("select a from new_x qualify lead(a) over (order by a) > 1", "a window function"),
        ("select a from new_x join new_y using (a)", "a join"),
        ("select a from new_x, new_y", "a join"),
        ("select a from new_x asof join new_x as y using (a)", "a join"),
        ("select a from new_x, lateral (select a + 1)", "a join"),
        ("select a from new_x limit 3", "LIMIT"),
        ("select a from new_x limit 10%", "LIMIT"),
        ("select a from (select * from new_x limit 3)", "LIMIT"),
        ("select distinct a from new_x", "DISTINCT"),
        ("with t as (select distinct a from new_x) select * from t", "DISTINCT"),
        ("select a from new_x tablesample 10%", "a sample"),
        ("select a from new_x using sample 5", "a sample"),
        ("select a from new_x union select a from new_y", "a set operation"),
        ("select a from new_x except select a from new_x", "a set operation"),
        ("with recursive r as (select 1 union all select 2) select a from new_x", "recursive"),
        ("select (select max(a) from new_x) from new_x", "a subquery"),
        ("select a from new_x where exists (select 1 from new_y)", "a subquery"),
        ("select array(select 1) from new_x", "a subquery"),
        ("summarize new_x", "a description of a table"),
        ("describe new_x", "a description of a table"),
    ],
)
def test_what_sees_more_than_one_row_is_refused(lint, sql, problem):
    assert problem in lint(sql)


def test_of_several_inputs_there_is_a_query_each(tmp_path):
    path = tmp_path / "port.sql"
    path.write_text(
        "select a, _cause from new_x\nunion all select b -> 'a', _cause from new_y"
        " union all select unnest(d), _cause from new_z;"
    )

    queries = read_event_queries(path)

    assert [each.input_name for each in queries] == ["x", "y", "z"]
    assert queries[0].sql.lower() == "select a, _cause from new_x"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select a from new_x union all select a from new_x", "new_x is read twice"),
        ("select a from new_x union all select max(a) from new_y", "the aggregate max()"),
        ("select a from new_x union all select a from other", "it reads other"),
        ("select a from new_x union all select a from new_y order by a", "a set operation"),
        ("with t as (from new_x) from t union all select a from new_y", "a set operation"),
    ],
)
def test_each_query_of_several_inputs_maps_one_of_them(lint, sql, problem):
    assert problem in lint(sql)


@pytest.mark.parametrize(
    "call",
    [
        "now()",
        "current_date",
        "CURRENT_TIMESTAMP",
        "localtime",
        "today()",
        "ago(interval 1 day)",
        "age(day)",
        "random()",
        "uuid()",
        "uuidv7()",
        "nextval('s')",
        "current_setting('TimeZone')",
        "getvariable('x')",
        "list_transform([1], x -> x + random())",
    ],
)
def test_what_is_not_a_function_of_the_data_is_refused(lint, call):
    assert "is not a function of the data" in lint(f"select {call} as a, _cause from new_x")


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select 1", "it reads nothing"),
        ("select a from calls", "it reads calls"),
        ("select a from input.new_x", "it reads input.new_x"),
        ("select a from other.main.new_x", "it reads other.main.new_x"),
        ("from 'secrets.csv'", "it reads secrets.csv"),
        ("select * from read_csv('secrets.csv')", "a table function"),
        ("select a from new_x, glob('*')", "a table function"),
        ("with new_x as (select 1 as a) select a from new_x", "it reads nothing"),
        ("insert into new_x values (1)", "Only SELECT statements"),
        ("drop table new_x", "Only SELECT statements"),
        ("select a from new_x; select a from new_x", "more than one statement"),
        ("-- nothing yet", "no statement"),
        ("", "no statement"),
        ("select from from", "syntax error"),
    ],
)
def test_a_query_reads_one_input_and_nothing_else(lint, sql, problem):
    assert problem in lint(sql)


def test_a_file_that_is_not_there_or_is_no_text_is_a_fault(lint, tmp_path):
    path = tmp_path / "other.sql"
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_event_queries(path)

    path.write_bytes(b"select '\xff'")
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_event_queries(path)


def numbers(*texts: str) -> pa.Table:
    return pa.table({"a": texts, CAUSE: pa.array(range(len(texts)), pa.int64())})


def run(tmp_path, sql: str, batch: pa.Table):
    query = EventQuery(path=tmp_path / "port.sql", sql=sql, input_name="x")
    with connect_memory() as connection:
        return query.run(Planned(connection), batch)


def test_a_row_for_which_the_query_fails_does_not_stop_the_others(tmp_path):
    batch = numbers("1", "two", "3", "4", "five", "six")

    made, failures = run(tmp_path, "select cast(a as integer) as b, _cause from new_x", batch)

    assert made.sort_by(CAUSE).to_pydict() == {"b": [1, 3, 4], CAUSE: [0, 2, 3]}
    assert [each.row[CAUSE][0].as_py() for each in failures] == [1, 4, 5]
    assert "'two'" in failures[0].reason


def test_a_query_that_fails_whatever_the_rows_are_is_a_fault_of_the_file(tmp_path):
    with pytest.raises(InvalidFile, match="DuckDB refuses it"):
        run(tmp_path, "select b, _cause from new_x", numbers("1", "2"))


def test_a_query_that_does_not_select_the_cause_is_a_fault_of_the_file(tmp_path):
    query = EventQuery(path=tmp_path / "port.sql", sql="select a from new_x", input_name="x")

    with connect_memory() as connection, pytest.raises(InvalidFile, match="select _cause along"):
        query.run_on_nothing(Planned(connection), numbers().schema)


def test_a_query_reaches_no_file(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    sql = f"select (select a from '{tmp_path}/secret.csv') as a, _cause from new_x"

    with pytest.raises(InvalidFile, match="DuckDB refuses it"):
        run(tmp_path, sql, numbers("1"))
