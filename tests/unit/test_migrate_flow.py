"""Of what the columns of the warehouse are made, traced through its jobs to what landed."""

from __future__ import annotations

import shutil

import pytest

from company import plugin
from mesh.errors import InvalidFile
from mesh.migrate.flow import Flow, load_tables, trace_jobs
from mesh.migrate.jobs import load_jobs


def flow_of(folder) -> Flow:
    return trace_jobs(load_jobs(folder), load_tables(folder / "tables.sql"))


SHIPPED = flow_of(plugin.warehouse.folder)


def made_of(table: str, name: str) -> set[tuple[str, str]]:
    """What landed of which a column is made."""
    return {
        origin for each in SHIPPED.columns(table) if each.name == name for origin in each.origins
    }


def test_every_statement_can_be_traced():
    assert [each.unknown for each in SHIPPED.statements] == [""] * len(SHIPPED.statements)


def test_a_column_is_followed_through_all_jobs_to_what_landed():
    assert made_of("report.handling_time", "mean_s") == {
        ("landing.finished_calls", "started_at"),
        ("landing.finished_calls", "ended_at"),
    }
    assert made_of("report.calls_per_contract", "contract_number") == {
        ("landing.number_changes", "contract_number")
    }
    assert made_of("staging.calls", "loaded_on") == set()


def test_a_copy_is_told_from_what_is_computed_of_the_same():
    copies = {each.name: each.copy for each in SHIPPED.columns("integration.calls")}

    assert copies["queue"] == ("staging.calls", "queue")
    assert copies["reason"] is None


def test_columns_that_a_job_names_are_filled_by_name(tmp_path):
    shutil.copytree(plugin.warehouse.folder, tmp_path / "files")
    path = tmp_path / "files" / "sql" / "phone-to-line.sql"
    path.write_text(
        path.read_text().replace(
            "phone_lines\nselect", "phone_lines (line_id, phone_number)\nselect"
        )
    )

    columns = flow_of(tmp_path / "files").columns("integration.phone_lines")

    assert [(each.name, bool(each.copy)) for each in columns] == [
        ("line_id", True), ("phone_number", False),
    ]  # fmt: skip


def test_a_table_that_is_nowhere_made_is_named(tmp_path):
    shutil.copytree(plugin.warehouse.folder, tmp_path / "files")
    path = tmp_path / "files" / "sql" / "phone-to-line.sql"
    path.write_text(path.read_text().replace("from integration.number_links", "from old.numbers"))

    found = {each.writes: each.unknown for each in flow_of(tmp_path / "files").statements}

    assert found["integration.phone_lines"] == "old.numbers is no table of the warehouse"


def test_tables_that_cannot_be_read_are_refused_with_their_file(tmp_path):
    (tmp_path / "tables.sql").write_text("create table (")

    with pytest.raises(InvalidFile, match=r"tables\.sql"):
        load_tables(tmp_path / "tables.sql")
