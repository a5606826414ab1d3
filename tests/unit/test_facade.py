"""A report changes its source under its readers: each sees the one or the other, whole."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pytest

from mesh.errors import WrongUse
from mesh.migrate.facade import lay
from mesh.product.failpoints import BATCH_POINTS
from mesh.product.published import read_published
from mesh.sql.limits import Limits, missing
from mesh.sql.nursery import Nursery
from mesh.sql.shelf import Shelf
from products.reports.batch import run
from tests.facade import CALLS, DAYS, REPORT, ROWS, Facade, contract, looking, rows_of
from tests.sql import PROGRAM, ask

TABLE = "analytics.reports.calls_per_contract"
# What a reader counts: rows, keys, days and calls of the whole report.
WHOLE = {
    source: (
        len(DAYS) * len(ROWS[source]),
        len(DAYS) * len(ROWS[source]),
        len(DAYS),
        len(DAYS) * len(ROWS[source]) * CALLS[source],
    )
    for source in ("warehouse", "mesh")
}
COUNTED = (
    "select count(*), count(distinct (day, contract_number, reason)), count(distinct day),"
    f" sum(calls)::bigint from {TABLE}"
)


@pytest.fixture
def facade(tmp_path) -> Facade:
    """The report as the warehouse has it."""
    found = Facade(tmp_path / "reports")
    found.switch("warehouse")
    return found


def counted(facade: Facade) -> tuple[int, ...]:
    """The report as a reader counts it who goes by the list of files."""
    found = facade.read()
    keys = found.group_by(["day", "contract_number", "reason"]).aggregate([]).num_rows
    days = len(set(found["day"].to_pylist()))
    return found.num_rows, keys, days, sum(found["calls"].to_pylist())


def test_who_reads_the_files_all_the_time_sees_every_row_once_and_one_source(facade):
    seen: list[object] = []

    with looking(lambda: counted(facade), seen):
        for source in ("mesh", "warehouse", "mesh"):
            facade.switch(source)

    assert (seen[0], seen[-1]) == (WHOLE["warehouse"], WHOLE["mesh"])
    assert set(seen) == set(WHOLE.values())


def test_were_its_days_switched_one_by_one_a_reader_would_see_two_sources(facade):
    seen: list[object] = []

    with looking(lambda: counted(facade), seen):
        facade.switch_day_by_day("mesh")

    assert seen[-1] == WHOLE["mesh"]
    assert set(seen) - set(WHOLE.values())


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(PROGRAM) as found:
        yield found


@pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
def test_who_asks_in_sql_all_the_time_sees_every_row_once_and_one_source(facade, nursery, tmp_path):
    shelf = Shelf(tmp_path, [], {}.get, [(contract(), facade.folder)])
    shelf.has_looked = True
    seen: list[object] = []

    def look() -> tuple[int, ...]:
        (shown,) = shelf.current([contract().id])
        worker = nursery.worker([shown.copy], Limits())
        try:
            (row,) = ask(worker, COUNTED)
        finally:
            worker.close()
        return tuple(map(int, row))

    with looking(look, seen):
        for source in ("mesh", "warehouse", "mesh"):
            facade.switch(source)
    shelf.close()

    assert seen[-1] == WHOLE["mesh"]
    assert set(seen) == set(WHOLE.values())


RUN = """
import sys
from pathlib import Path
from mesh.product.failpoints import arm
from tests.facade import Facade
arm(sys.argv[2])
Facade(Path(sys.argv[1])).switch("mesh")
"""


@pytest.mark.parametrize("failpoint", [*BATCH_POINTS, "delivery-taken:4", "day-written:4"])
def test_a_switch_that_is_killed_leaves_one_source_and_is_repeated(facade, failpoint):
    command = [sys.executable, "-c", RUN, str(facade.root), f"kill:{failpoint}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr

    is_new = failpoint in ("day-published", "day-announced")
    assert counted(facade) == WHOLE["mesh" if is_new else "warehouse"]
    facade.switch("mesh")
    assert counted(facade) == WHOLE["mesh"]
    # Each is told once, though the run that was killed may have told some.
    last = [each["deliveries"] for each in facade.said.values()][-len(DAYS) :]
    assert last == [["mesh"]] * len(DAYS)
    assert Counter(day for _, day, _ in facade.said) == dict.fromkeys(DAYS, 2)


def test_a_switch_back_after_a_killed_one_ends_with_the_source_that_was_asked_last(facade):
    facade.lay("mesh")

    facade.switch("warehouse")
    facade.lay("warehouse")
    facade.switch("mesh")

    assert counted(facade) == WHOLE["mesh"]


def test_to_publish_the_same_rows_again_is_no_publication(facade):
    before = read_published(facade.folder)

    facade.switch("warehouse")

    assert read_published(facade.folder) == before


def test_each_day_says_where_its_rows_come_from(facade):
    facade.switch("mesh")

    days = read_published(facade.folder).days.values()
    assert {tuple(each.name for each in day.deliveries) for day in days} == {("mesh",)}
    assert facade.said[REPORT, DAYS[0], 1]["deliveries"] == ["warehouse"]


def test_rows_with_other_columns_are_refused_and_nothing_changes(facade):
    other = rows_of("mesh", DAYS[0]).rename_columns(["day", "contract", "reason", "calls"])

    with pytest.raises(WrongUse, match="the mesh has other columns"):
        lay(facade.folder, contract(), "mesh", [(DAYS[0], other)])
    run(facade.batch)
    assert counted(facade) == WHOLE["warehouse"]


def test_a_day_without_rows_is_a_day_that_is_published(tmp_path):
    facade, day = Facade(tmp_path), date(2026, 1, 1)

    lay(facade.folder, contract(), "warehouse", [(day, rows_of("mesh", day).slice(0, 0))])
    run(facade.batch)

    assert read_published(facade.folder).days[day].rows == 0
    assert isinstance(facade.read(), pa.Table)
