"""The parity ledger finds each fault of the warehouse under its name, and nothing where none is."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from company import plugin
from mesh.cli.migrate_rules import rules
from mesh.errors import InvalidFile, MeshError, WrongUse
from mesh.migrate.causes import load_causes
from mesh.migrate.compare import bench_of
from mesh.migrate.ledger import Ledger
from tests.offline_ledger import DAYS, JOBS, REPORTS, SEED, DuckPorts, World, found
from tests.repository import ROOT

PLANTED = ("time-zone", "ported-number")
OTHERS = ("late-data", "after-midnight", "rounding", "contradiction")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("ledger"))


def test_nights_of_these_tests_bring_what_the_companys_bring(world):
    assert world.warehouse.extracts(SEED, DAYS[0]) == plugin.warehouse.extracts(SEED, DAYS[0])


def test_each_fault_is_found_under_its_name_and_every_row_is_explained(world):
    with world.ran() as nights:
        causes = world.found(nights)

    assert "unexplained" not in causes
    assert causes.keys() >= {*PLANTED, *OTHERS}


@pytest.mark.parametrize("name", [*PLANTED, *OTHERS])
def test_without_its_rule_a_fault_is_not_explained_by_the_others(world, name):
    with world.ran() as nights:
        causes = world.found(nights, name)

    assert causes["unexplained"]
    assert not any(name in each for each in causes)


def test_a_night_that_ran_again_is_found_and_where_none_did_its_rule_is_not_tried(world):
    with world.ran() as nights:
        # The second of them over what was written until two of the morning after the last.
        for day in (DAYS[-1], DAYS[0]):
            list(nights.run(day, again=True))
        bench, known = bench_of(nights, world.ports, REPORTS)
        causes = found(Ledger(bench, known), nights, world.ports)

    assert "repeated-night" not in {each.name for each in world.causes}
    assert causes["repeated-night"] > 500
    assert "unexplained" not in causes


def test_what_did_not_arrive_in_the_mesh_is_the_meshs_fault(world):
    ports = DuckPorts(world.records)
    ports.connection.execute(
        "delete from customer_service.call_center.calls where queue = 'sales';"
        "delete from finance.billing.payments where amount < 20;"
        "delete from finance.billing.invoices where amount > 60;"
        "delete from identity.key_ring.links where relation = 'phone-number-contract'"
        " and link_id > 'N-00001000'"
    )
    with world.ran() as nights:
        bench, known = bench_of(nights, ports, REPORTS)
        causes = found(Ledger(bench, known), nights, ports)

    assert "fault-of-ours" not in {each.name for each in world.causes}
    assert causes["fault-of-ours"] > 100
    assert "unexplained" not in causes


def test_a_fault_that_is_mended_is_found_no_more(world):
    hour = " + interval 1 hour"
    mended = tuple(replace(each, sql=each.sql.replace(hour, "")) for each in JOBS)
    with world.ran(mended) as nights:
        causes = world.found(nights)

    assert sum(each.sql.count(hour) for each in JOBS) == 1
    # On the first of the days there are calls of the evening before still.
    assert causes["time-zone"] < 20


def test_rows_that_change_while_they_are_compared_are_told(world):
    ports = DuckPorts(world.records)
    with world.ran() as nights:
        bench, known = bench_of(nights, ports, REPORTS)
        ports.connection.execute("delete from customer_service.call_center.calls")

        with pytest.raises(MeshError, match="has changed while it was compared"):
            found(Ledger(bench, known), nights, ports)


def test_the_rules_are_shown_with_their_sql_and_the_page_lists_each():
    shown = json.loads(CliRunner().invoke(rules, ["--json"]).stdout)["rules"]
    one = CliRunner().invoke(rules, ["time-zone"]).stdout
    unknown = CliRunner().invoke(rules, ["nothing"]).exception

    listed = re.findall(r"^\| `([a-z-]+)` \| the", (ROOT / "docs/migration.md").read_text(), re.M)
    assert [each["name"] for each in shown] == listed
    assert one.startswith("create view calls as")
    assert isinstance(unknown, WrongUse)
    assert "time-zone" in str(unknown)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("/*\nname: x\nwhose: mesh\n*/\nselect 1;", "a cause has its"),
        ("/*\nname: y\nwhose: mesh\n*/\ncreate view calls as from calls;", "a cause has its"),
        ("/*\nname: x\nwhose: us\n*/\ncreate view calls as from calls;", "a cause has its"),
        ("/*\nname: x\nwhose: mesh\n*/\ncreate view calls as select (;", "cannot be read"),
    ],
)
def test_a_cause_that_is_none_is_refused_with_its_file(tmp_path, text, problem):
    (tmp_path / "causes").mkdir()
    (tmp_path / "causes" / "x.sql").write_text(text)

    with pytest.raises(InvalidFile, match=f"x.sql.*{problem}"):
        load_causes(tmp_path)
