"""A port that is published by day is a table in SQL, over the files of whoever is granted it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mesh.contract.project import load_project
from mesh.errors import WrongUse
from mesh.sql.limits import Limits, missing
from mesh.sql.nursery import Nursery
from mesh.sql.shelf import Shelf
from tests.days import PER_DAY, Port, day
from tests.repository import ROOT
from tests.sql import PROGRAM, ask

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
TABLE = "network.network_usage.usage"


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One zygote for all tests."""
    with Nursery(PROGRAM) as found:
        yield found


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Port:
    """Two days, one of them published twice."""
    found = Port(tmp_path_factory.mktemp("usage"))
    for count in (PER_DAY, 2 * PER_DAY):
        found.land(count)
        found.run()
    return found


@pytest.fixture(scope="module")
def shelf(port, tmp_path_factory) -> Iterator[Shelf]:
    """A shelf that has this port alone."""
    contract = load_project(ROOT).contract("network-usage.usage")
    found = Shelf(tmp_path_factory.mktemp("sql"), [], {}.get, [(contract, port.folder)])
    found.has_looked = True
    yield found
    found.close()


def test_the_published_days_are_a_table_that_says_of_each_which_generation_it_is(
    nursery, shelf, port
):
    (shown,) = shelf.current(["network-usage.usage"])
    worker = nursery.worker([shown.copy], Limits())

    rows = ask(worker, f"select day::varchar, count(*) from {TABLE} group by all order by all")

    assert rows == [[str(of), count] for of, count in sorted(port.counts().items())]
    assert shown.offsets == {"2026-01-01": 2, "2026-01-02": 3}
    worker.close()


def test_who_is_not_granted_it_has_no_such_table(nursery, shelf):
    shown = shelf.current(["call-center.calls"])
    worker = nursery.worker([each.copy for each in shown], Limits())

    with pytest.raises(WrongUse, match="does not exist"):
        ask(worker, f"select count(*) from {TABLE}")
    worker.close()


@pytest.mark.parametrize("without", [(), ("landlock",), ("settings",)], ids=str)
def test_a_worker_opens_no_other_file_of_the_port(nursery, shelf, port, without):
    (shown,) = shelf.current(["network-usage.usage"])
    worker = nursery.worker([shown.copy], Limits(without=frozenset(without)))
    other = port.folder / "day=2026-01-01" / "deliveries" / "2026-01-01.gateway.parquet"

    with pytest.raises(WrongUse, match=r"Permission|Cannot|cannot"):
        ask(worker, f"select count(*) from read_parquet('{other}')")
    worker.close()


def test_with_both_limits_off_it_would(nursery, shelf, port):
    (shown,) = shelf.current(["network-usage.usage"])
    worker = nursery.worker([shown.copy], Limits(without=frozenset({"landlock", "settings"})))
    other = port.folder / "day=2026-01-01" / "deliveries" / "2026-01-01.gateway.parquet"

    assert ask(worker, f"select count(*) > 0 from read_parquet('{other}')") == [[True]]
    worker.close()


def test_a_day_that_is_published_anew_is_another_copy(shelf, port):
    (before,) = shelf.current(["network-usage.usage"])
    port.land(3 * PER_DAY)
    port.run()

    (after,) = shelf.current(["network-usage.usage"])

    assert after.copy != before.copy
    assert json.dumps(after.offsets) == json.dumps(
        {"2026-01-01": 2, "2026-01-02": 4, str(day(2)): 5}
    )
    assert all(each.exists() for each in before.copy.parquet)


def test_a_list_that_is_damaged_costs_no_query_of_another_port(nursery, shelf, port):
    whole = (port.folder / "published.json").read_text()
    (port.folder / "published.json").write_text(whole[:20])
    (shown,) = shelf.current(["network-usage.usage"])
    worker = nursery.worker([shown.copy], Limits())
    (port.folder / "published.json").write_text(whole)

    assert ask(worker, "select 1") == [[1]]
    for columns in ("count(*)", "day"):
        with pytest.raises(WrongUse, match=r"published\.json cannot be read"):
            ask(worker, f"select {columns} from {TABLE}")
    worker.close()
