"""Tests of the legacy warehouse: its jobs, its nights, and the faults that it is known to have."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from company import plugin
from mesh.cli.legacy import legacy
from mesh.errors import InvalidFile, MeshError, StorageError, WrongUse
from mesh.home import Home
from mesh.migrate.jobs import load_jobs, reports, upstream
from mesh.migrate.nights import Nights

SEED = 7
FIRST = plugin.warehouse.first_night
JOBS = load_jobs(plugin.warehouse.folder)
# From a Thursday on, with two Sundays among them.
NIGHTS = 12
FIFTH = FIRST + timedelta(days=4)


def opened(folder, warehouse=plugin.warehouse):
    jobs = load_jobs(warehouse.folder)
    return Nights(folder / "warehouse.duckdb", warehouse, jobs, SEED)


def run_nights(nights, count):
    for _ in range(count):
        list(nights.run(nights.next_night()))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A warehouse after its first nights."""
    with opened(tmp_path_factory.mktemp("legacy")) as nights:
        run_nights(nights, NIGHTS)
        yield nights


def rows(nights, sql):
    return nights.connection.sql(sql).fetchall()


def test_every_job_reads_only_what_came_in_the_night_or_what_a_job_before_it_wrote():
    written = set()
    for job in JOBS:
        for table in job.reads:
            assert table.startswith("landing.") or table in written, f"{job.name}: {table}"
        written |= set(job.writes)


def test_there_are_six_reports_and_three_jobs_turn_a_number_into_a_contract():
    assert len(reports(JOBS)) == 6
    names = [each.name for each in upstream(JOBS, "calls_per_contract")]
    hard_wired = ["phone-to-line", "line-to-subscription", "subscription-to-contract"]
    assert names[-4:] == [*hard_wired, "report-calls-per-contract"]
    assert not set(hard_wired) & {each.name for each in upstream(JOBS, "handling_time")}


def test_every_report_has_rows_of_every_day_but_those_of_money_which_begin_with_invoices(ran):
    for name in ("calls_per_contract", "handling_time", "porting", "churn_signals"):
        assert rows(ran, f"select count(distinct day) from report.{name}") == [(NIGHTS,)]
    for name in ("outstanding_balance", "household_revenue"):
        assert rows(ran, f"select count(*) from report.{name}") == [(0,)]


def test_a_ported_number_keeps_its_old_contract_until_sunday(ran):
    wrong = """
        select c.call_day, n.valid_from::date
        from integration.call_contracts c
        join staging.calls s using (call_id)
        join integration.number_links n on n.phone_number = s.phone_number
            and n.valid_from <= s.started_at
            and (n.valid_to is null or s.started_at < n.valid_to)
        where n.contract_number <> c.contract_number
    """
    found = rows(ran, wrong)

    assert found
    # But for what the CRM wrote late, or wrong at first.
    stale = [(day - since).days for day, since in found if 0 <= (day - since).days < 7]
    assert len(stale) > len(found) / 2


def test_calls_of_the_last_hour_of_a_day_count_on_the_next(ran):
    slipped = rows(
        ran,
        "select count(*), count(*) filter (extract(hour from s.started_at) = 23)"
        " from integration.calls c join staging.calls s using (call_id)"
        " where c.call_day <> s.started_at::date",
    )

    assert slipped[0][0] == slipped[0][1] > 100


def test_a_night_that_runs_again_counts_its_calls_twice_and_no_other_report_changes(tmp_path):
    def reported(nights, name):
        return rows(nights, f"select * from report.{name} where day = '{FIFTH}' order by all")

    with opened(tmp_path) as nights:
        run_nights(nights, 5)
        before = {name: reported(nights, name) for name in reports(JOBS)}
        list(nights.run(FIFTH, again=True))
        after = {name: reported(nights, name) for name in reports(JOBS)}

    calls = {name: sum(each[-1] for each in found) for name, found in before.items() if found}
    doubled = sum(each[-1] for each in after["calls_per_contract"])
    # Those that slipped into the day from the night before are there once.
    assert 1.9 * calls["calls_per_contract"] < doubled < 2 * calls["calls_per_contract"]
    for name in ("outstanding_balance", "porting", "household_revenue"):
        assert after[name] == before[name]


@pytest.fixture
def copied(tmp_path):
    """The warehouse with files of its own."""
    shutil.copytree(plugin.warehouse.folder, tmp_path / "files")
    return replace(plugin.warehouse, folder=tmp_path / "files")


def test_a_job_that_fails_leaves_nothing_and_the_night_goes_on_with_it(copied, tmp_path):
    path = copied.folder / "sql" / "number-links.sql"
    whole = path.read_text()
    path.write_text(whole.replace("where not retracted", "where not taken_back"))

    with opened(tmp_path, copied) as nights:
        with pytest.raises(MeshError, match="number-links failed in the night of 2026-01-01"):
            run_nights(nights, 1)
        assert nights.next_night() == FIRST
        assert rows(nights, "select count(*) from integration.number_links") == [(0,)]
    path.write_text(whole)
    with opened(tmp_path, copied) as nights:
        found = list(nights.run(FIRST))
        assert found[0].job == "number-links"
        assert rows(nights, "select count(*) from staging.calls") == [(1000,)]
        assert nights.next_night() == FIRST + timedelta(days=1)


def test_no_night_is_left_out_and_none_before_the_first_is_run(tmp_path):
    with opened(tmp_path) as nights:
        with pytest.raises(WrongUse, match="the next night is 2026-01-01"):
            list(nights.run(FIFTH))
        with pytest.raises(WrongUse, match="cannot run again"):
            list(nights.run(FIRST, again=True))


def test_a_file_that_is_damaged_or_of_an_earlier_version_is_to_be_removed(tmp_path):
    with opened(tmp_path) as nights:
        assert nights.arrived() == {}
        run_nights(nights, 1)
        for name in nights.arrived():
            nights.connection.execute(f"drop table arrived.{name}")
        with pytest.raises(StorageError, match=r"remove it, and `mesh legacy run --nights N`"):
            nights.arrived()
    (tmp_path / "warehouse.duckdb").write_bytes(b"nothing of the kind")

    with pytest.raises(StorageError, match=r"remove the file: `mesh legacy run --nights N`"):
        opened(tmp_path)


def test_a_warehouse_is_of_one_world(tmp_path):
    opened(tmp_path).connection.close()

    with pytest.raises(WrongUse, match="is of the world 7"):
        Nights(tmp_path / "warehouse.duckdb", plugin.warehouse, JOBS, 8)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select 1", "a job is made of"),
        ("insert into report.porting (", "cannot be read"),
        ("drop table staging.calls", "a job is made of"),
    ],
)
def test_sql_that_is_no_job_is_refused_with_its_file(copied, sql, problem):
    (copied.folder / "sql" / "contracts.sql").write_text(sql)

    with pytest.raises(InvalidFile, match=problem):
        load_jobs(copied.folder)


def test_a_job_without_a_file_is_refused_with_its_line(copied):
    path = copied.folder / "jobs.yaml"
    path.write_text(path.read_text().replace("name: contracts,", "name: nothing,"))

    with pytest.raises(InvalidFile, match="there is no job 'nothing'"):
        load_jobs(copied.folder)


def command(tmp_path, *arguments):
    return CliRunner().invoke(legacy, arguments, obj=SimpleNamespace(home=Home.open(tmp_path)))


def test_the_command_runs_nights_and_shows_a_report(tmp_path):
    ran = command(tmp_path, "run", "--nights", "2", "--json")
    read = command(tmp_path, "read", "porting", "--day", "2026-01-02", "--json")

    assert len(json.loads(ran.stdout)["jobs"]) == 2 * len(JOBS)
    document = json.loads(read.stdout)
    assert document["columns"] == ["day", "what", "numbers"]
    assert {row[1] for row in document["rows"]} <= {"came", "left", "moved"}
    assert date.fromisoformat(document["rows"][0][0]) == date(2026, 1, 2)


def test_jobs_and_lineage_are_told_without_running_anything(tmp_path):
    listed = json.loads(command(tmp_path, "jobs", "--json").stdout)["jobs"]
    chain = json.loads(command(tmp_path, "lineage", "porting", "--json").stdout)["jobs"]

    assert [each["name"] for each in listed] == [each.name for each in JOBS]
    assert [each["name"] for each in chain] == ["stage-crm", "number-links", "report-porting"]
    assert not (tmp_path / "legacy").exists()


def test_a_report_that_is_not_there_is_named_with_those_that_are(tmp_path):
    found = command(tmp_path, "lineage", "nothing")

    assert isinstance(found.exception, WrongUse)
    assert "calls_per_contract" in str(found.exception)
