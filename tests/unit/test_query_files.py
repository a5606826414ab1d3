"""Named queries are read with all that they promise, and every fault is named with its line."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from mesh.contract.people import load_people
from mesh.contract.project import load_project
from mesh.contract.types import duckdb_columns, duckdb_type
from mesh.errors import InvalidFile
from mesh.query.files import QUERIES, load_queries
from mesh.sql.shelf import name_of
from tests.repository import ROOT

HEAD = """\
/*
name: calls-per-day
version: 1.0.0
owner: ada
description: Calls on a day.
parameters:
  - name: day
    logicalType: date
    description: The day.
    examples: [2026-01-03]
result:
  - name: queue
    logicalType: string
    required: true
    primaryKey: true
    enum: [{value: billing}, {value: sales}]
  - name: calls
    logicalType: integer
*/
"""
SQL = """\
select queue, count(*) as calls
from customer_service.call_center.calls
where started_at::date = $day
group by queue;
"""


def put(folder: Path, text: str | bytes, name: str = "calls-per-day") -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / f"{name}.sql").write_bytes(data)
    return folder


def faults(folder: Path) -> list[tuple[int, str]]:
    with pytest.raises(InvalidFile) as caught:
        load_queries(folder, load_people(ROOT / "company/people.yaml"))
    return [(each.line, str(each)) for each in caught.value.faults]


def test_a_query_is_read_with_its_parameters_and_the_contract_of_its_result(tmp_path):
    (found,) = load_queries(put(tmp_path, HEAD + SQL))

    assert (found.name, found.version, found.owner) == ("calls-per-day", "1.0.0", "ada")
    assert [(each.name, each.type.kind) for each in found.parameters] == [("day", "date")]
    assert found.parameters[0].examples == ("2026-01-03",)
    assert [(each.name, each.is_required) for each in found.result.fields] == [
        ("queue", True),
        ("calls", False),
    ]
    assert [each.name for each in found.result.key_fields] == ["queue"]
    assert [each.name for each in found.result.rules] == ["queue.enum"]
    assert found.sql == SQL.strip()


def test_of_a_folder_that_is_not_there_there_are_no_queries(tmp_path):
    assert load_queries(tmp_path / "nowhere") == ()


def test_the_queries_that_ship_have_no_fault_and_are_owned_by_people_of_the_company():
    found = load_queries(ROOT / QUERIES, load_people(ROOT / "company/people.yaml"))

    assert found != ()
    assert all(each.path.stem == each.name for each in found)


def test_each_query_that_ships_gives_the_columns_that_it_promises_of_the_mesh_as_it_is():
    project = load_project(ROOT)
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for contract in project.contracts.values():
        domain, product, port = name_of(contract)
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(contract))
        connection.execute(f"attach if not exists ':memory:' as {domain}")
        connection.execute(f"create schema if not exists {domain}.{product}")
        connection.execute(f"create table {domain}.{product}.{port} ({columns})")

    for query in load_queries(ROOT / QUERIES, project.people):
        values = {
            each.name: duckdb.Value(each.examples[0], duckdb.type(duckdb_type(each.type)))
            for each in query.parameters
        }
        found = connection.execute(query.sql, values).description
        wanted = [(name, duckdb.type(type_)) for name, type_ in duckdb_columns(query.result)]
        assert [(each[0], each[1]) for each in found] == wanted, query.name


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("/*\n", "/**\n", 1, "does not begin with its head"),
        ("*/\n", "", 1, "its head has no end"),
        ("version: 1.0.0", "version: [1", 4, "expected"),
        ("owner: ada", "owner: adda", 4, "did you mean ada?"),
        ("version: 1.0.0", "version: 1.0.x", 3, "three numbers"),
        ("name: calls-per-day", "name: calls", 2, "calls-per-day.sql"),
        ("description: Calls on a day.", "descripton: Calls on a day.", 5, "did you mean"),
        ("    logicalType: date", "    logicalType: dat", 8, "dat"),
        ("    logicalType: integer", "    logicaltype: integer", 18, "logicaltype"),
        ("    required: true\n    primaryKey: true\n", "", 12, "no primary key"),
        ("$day", "'2026-01-03'", 20, "the parameter day is not used"),
        ("$day", "$day and queue = $queue", 20, "$queue is not declared"),
        ("$day", "$day; select 1", 20, "write one select"),
        ("group by", "grup by", 23, "syntax error"),
        (SQL, "delete from calls where day = $day", 20, "write one select"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, old, new, line, words):
    assert old in HEAD + SQL
    found = faults(put(tmp_path, (HEAD + SQL).replace(old, new, 1)))

    assert line in [at for at, _ in found]
    assert any(words in text for _, text in found), found


def test_text_that_is_not_utf_8_is_named_with_its_line(tmp_path):
    found = faults(put(tmp_path, (HEAD + SQL).encode().replace(b"Calls on", b"Calls \xff on")))

    assert [line for line, _ in found] == [5]


def test_two_files_of_one_name_are_a_fault_of_the_second(tmp_path):
    put(tmp_path, HEAD + SQL)
    found = faults(put(tmp_path, HEAD + SQL, "copy"))

    assert any("copy.sql" in text for _, text in found)


def test_the_faults_of_all_files_are_named_at_once(tmp_path):
    put(tmp_path, (HEAD + SQL).replace("owner: ada", "owner: nobody"))
    found = faults(put(tmp_path, "select 1", "other"))

    assert len(found) == 2
