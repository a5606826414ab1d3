"""What is no value of every day has a form in JSON and CSV too, and none is lost or made up."""

from __future__ import annotations

import duckdb
import pytest

from mesh.ports.csvtext import as_text
from mesh.ports.values import json_rows

INSTANTS = {
    "timestamp '2026-01-02 03:04:05.6'": "2026-01-02T03:04:05.600000Z",
    "timestamp '12345-01-02 03:04:05.6'": "+12345-01-02T03:04:05.600000Z",
    "timestamptz '0044-03-15 (BC) 00:00:00+00'": "-0043-03-15T00:00:00.000000Z",
    "timestamp 'infinity'": "infinity",
    "timestamp '-infinity'": "-infinity",
}


def table(sql: str):
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(f"select {sql}").to_arrow_table()


@pytest.mark.parametrize(("sql", "text"), INSTANTS.items())
def test_an_instant_of_any_year_is_told_as_it_is(sql, text):
    usual = table(f"unnest([{sql}, timestamp '2026-01-02', null])")

    found = [row[0] for row in json_rows(usual)]

    assert found == [text, "2026-01-02T00:00:00.000000Z", None]
    assert as_text(usual).columns[0].to_pylist() == found


@pytest.mark.parametrize(
    ("sql", "text"),
    [("time '12:00'", "12:00:00"), ("'\\xff'::blob", "\\xff"), ("null::time", None)],
)
def test_a_value_without_a_type_in_json_is_text(sql, text):
    assert json_rows(table(sql)) == [[text]]
    assert as_text(table(sql)).columns[0].to_pylist() == [text]


def test_columns_of_one_name_are_all_there():
    found = as_text(table("1 as a, 2 as a, 3 as b"))

    assert found.column_names == ["a", "a", "b"]
    assert [each.to_pylist() for each in found.columns] == [[1], [2], [3]]
