"""A report is cut over on a real mesh and rolled back, under a reader who asks all the time."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from xml.etree import ElementTree

import httpx
import pytest

from mesh.home import Home
from mesh.sql.limits import missing
from tests.facade import looking
from tests.life import Mesh, opened, wait_until
from tests.week import tell_week

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux"),
]

REPORT, READER, OWNER, SOURCE = "handling-time", "grace", "barbara", "call-center"
NIGHTS, CALLS = 3, 3_100
WHOLE = (
    "select count(*), count(distinct (day, queue)), count(distinct day), sum(calls)::bigint,"
    " sum(mean_s)::bigint from analytics.reports.handling_time"
)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A mesh with some nights' calls, and the warehouse after these nights."""
    with opened(tmp_path_factory.mktemp("cutover") / "home") as found:
        found.run("up")
        found.run("legacy", "run", "--nights", str(NIGHTS))
        found.run("migrate", "publish")
        found.run("feed", SOURCE, "--calls", str(CALLS))
        wait_until(lambda: found.has_calls(CALLS))
        wait_until(lambda: found.service("sql")["lag"] == 0)
        yield found


def asked(mesh: Mesh, sql: str, who: str) -> list[list[object]]:
    """The rows of an answer."""
    found: list[list[object]] = json.loads(mesh.run("sql", sql, "--json", "--as", who))["rows"]
    return found


def test_who_is_granted_a_report_has_it_as_the_warehouse_has_it_and_nobody_else(mesh):
    last = "select * from analytics.reports.handling_time where day = '2026-01-03' order by all"
    rows = json.loads(mesh.run("legacy", "read", "handling_time", "--json"))["rows"]

    assert asked(mesh, last, READER) == rows != []
    assert "does not exist" in mesh.run("sql", WHOLE, "--as", "mallory", code=2)


def test_a_cut_over_that_lacks_something_says_what_and_decides_nothing(mesh):
    said = mesh.run("migrate", "cutover", REPORT, "--as", OWNER, "--nights", "3", code=1)
    status = json.loads(mesh.run("migrate", "status", "--json"))["reports"]

    assert "the ledger has nothing of 2026-01-01, 2026-01-02, 2026-01-03: " in said
    assert f"{SOURCE} is not certified but " in said
    assert f"{READER} has not agreed" in said
    assert {each["source"] for each in status} == {"warehouse"}
    assert "does not own reports" in mesh.run("migrate", "cutover", REPORT, "--as", "ada", code=1)
    assert "is not granted" in mesh.run("migrate", "agree", REPORT, "--as", "mallory", code=1)


@pytest.fixture(scope="module")
def ready(mesh: Mesh) -> Mesh:
    """The mesh, with all that a cut-over of the report needs."""
    mesh.run("migrate", "compare", "handling_time", "--from", "2026-01-01", "--to", "2026-01-03")
    mesh.run("migrate", "agree", REPORT, "--as", READER)
    tell_week(Home.find(mesh.home), SOURCE, "calls", CALLS)
    # It reads what was seen before when it starts.
    os.kill(mesh.service("catalogue")["pid"], signal.SIGKILL)

    def is_certified() -> bool:
        found = mesh.result("ladder", "--json").stdout
        products = json.loads(found)["products"] if found else []
        return {"id": SOURCE, "rung": "certified"} in [
            {"id": each["id"], "rung": each["rung"]} for each in products
        ]

    wait_until(is_certified, why=lambda: mesh.result("ladder", SOURCE).stdout)
    return mesh


def test_a_reader_sees_one_source_or_the_other_while_a_report_is_cut_over_and_rolled_back(ready):
    address = ready.service("sql")["address"]
    token = ready.run("token", "--as", READER, "--for", "sql").strip()
    client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60)
    seen: list[object] = []

    def look() -> tuple[object, ...]:
        (row,) = client.post(f"{address}/sql", content=WHOLE).json()["rows"]
        return tuple(row)

    cutover = ("migrate", "cutover", REPORT, "--as", OWNER, "--nights", "3")
    with client:
        before = look()
        with looking(look, seen):
            done = ready.result(*cutover, MESH_FAILPOINT="kill:day-written:2")
            assert done.returncode == -signal.SIGKILL, done.stderr
            assert look() == before
            ready.run(*cutover)
            after = look()
            ready.run("migrate", "rollback", REPORT, "--reason", "To see it.", "--as", OWNER)
            assert look() == before
            ready.run("migrate", "agree", REPORT, "--as", READER)
            ready.run(*cutover)

    assert after != before
    assert set(seen) == {before, after}
    assert before[2] == after[2] == NIGHTS


def test_what_was_decided_is_told_and_what_is_left_of_the_warehouse_follows_it(ready, tmp_path):
    sql = "select decision, principal from analytics.reports.decisions order by number"
    told = [
        ["agreed", READER], ["cut-over", OWNER], ["rolled-back", OWNER], ["agreed", READER],
        ["cut-over", OWNER],
    ]  # fmt: skip
    wait_until(lambda: asked(ready, sql, OWNER) == told, why=lambda: str(asked(ready, sql, OWNER)))

    picture = tmp_path / "burndown.svg"
    steps = json.loads(ready.run("migrate", "burndown", "--json", "--svg", str(picture)))["steps"]
    assert [each["reports"] for each in steps] == [6, 5, 6, 5]
    assert steps[0] == {**steps[2], "at": None, "decided": ""}
    assert steps[1]["jobs"] < steps[0]["jobs"]
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - it is ours
