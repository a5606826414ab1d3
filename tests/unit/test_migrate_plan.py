"""What becomes of each step of the warehouse: by its SQL, whatever the jobs are called."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from company import plugin
from mesh.cli.migrate import migrate
from mesh.contract.project import load_project
from mesh.errors import WrongUse
from mesh.migrate.fates import PlannedStep
from mesh.migrate.flow import load_tables
from mesh.migrate.jobs import load_jobs
from mesh.migrate.plan import make_plan
from tests.repository import ROOT

PROJECT = load_project(ROOT)
RELATION = "contracts.phone-number-contract"
HARD_WIRED = ("phone_lines", "line_subscriptions", "call_contracts")


def planned(folder: Path) -> dict[str, PlannedStep]:
    """The plan of the warehouse in *folder*, by the tables that are filled."""
    plan = make_plan(load_jobs(folder), load_tables(folder / "tables.sql"), PROJECT)
    return {each.table.partition(".")[2]: each for each in plan.steps}


SHIPPED = planned(plugin.warehouse.folder)
FOLDER = plugin.warehouse.folder
PLAN = make_plan(load_jobs(FOLDER), load_tables(FOLDER / "tables.sql"), PROJECT)


@pytest.fixture
def copied(tmp_path):
    """The warehouse with files of its own."""
    shutil.copytree(plugin.warehouse.folder, tmp_path / "files")
    return tmp_path / "files"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_three_steps_from_a_number_to_a_contract_are_cut_and_one_relation_takes_their_place():
    cut = {name: each for name, each in SHIPPED.items() if each.fate == "cut"}

    assert tuple(cut) == HARD_WIRED
    assert {each.relations for each in cut.values()} == {(RELATION,)}
    assert cut["call_contracts"].why == "contract-number in place of phone-number, and nothing else"


def test_what_a_domain_goes_on_doing_is_kept_with_the_sql_that_does_it():
    kept = {name: each.files for name, each in SHIPPED.items() if each.table.startswith("integ")}

    assert {name: files for name, files in kept.items() if files} == {
        "calls": ("products/call_center/calls.sql",),
        "contracts": ("products/contracts/contracts.sql",),
        "number_links": (
            "products/contracts/phone_number_contract.sql",
            "products/key_ring/links.sql",
        ),
        "contract_households": (
            "products/contracts/contract_household.sql",
            "products/key_ring/links.sql",
        ),
        "account_payers": (
            "products/billing/billing_account_payer.sql",
            "products/key_ring/links.sql",
        ),
    }


def test_a_step_is_of_the_domains_whose_products_take_in_what_it_is_made_of():
    domains = {name: each.domains for name, each in SHIPPED.items()}

    assert domains["calls"] == ("customer-service",)
    assert domains["invoice_balances"] == ("finance",)
    assert domains["call_contracts"] == ("customer-service", "sales")
    assert domains["churn_signals"] == ("customer-service", "finance", "sales")


def test_every_step_of_a_report_is_told_in_order_and_no_other():
    # Of the three tables that its first job fills, the report needs one.
    assert [each.table for each in PLAN.report("porting").steps] == [
        "staging.number_changes", "integration.number_links", "report.porting",
    ]  # fmt: skip
    assert len(PLAN.reports) == 6
    with pytest.raises(WrongUse, match="there is no report 'porto'"):
        PLAN.report("porto")


def test_no_name_of_a_job_or_of_a_table_between_decides_anything(copied):
    listed = (copied / "jobs.yaml").read_text()
    for number, name in enumerate(re.findall(r"name: ([\w-]+),", listed)):
        (copied / "sql" / f"{name}.sql").rename(copied / "sql" / f"j{number}.sql")
        listed = listed.replace(f"name: {name},", f"name: j{number},")
    (copied / "jobs.yaml").write_text(listed)
    for path in (copied / "tables.sql", *(copied / "sql").iterdir()):
        text = path.read_text()
        for number, name in enumerate(HARD_WIRED):
            text = text.replace(f"integration.{name}", f"integration.t{number}")
        path.write_text(text.replace("line_id", "place").replace("subscription_id", "thing"))

    found = planned(copied)

    assert [each.fate for each in found.values()] == [each.fate for each in SHIPPED.values()]
    assert {found[f"t{n}"].relations for n in range(3)} == {(RELATION,)}


def test_a_step_that_does_more_than_translate_is_not_cut(copied):
    edit(copied / "sql" / "subscription-to-contract.sql", "c.queue,", "upper(c.queue),")

    found = planned(copied)["call_contracts"]

    assert (found.fate, found.relations) == ("moved", ())


def test_a_translation_is_found_however_its_query_is_written(copied):
    (copied / "sql" / "subscription-to-contract.sql").write_text("""
        insert into integration.call_contracts
        with called as (
            select c.call_id as id, s.contract_number as of, c.* exclude (call_id)
            from integration.calls c
            join integration.phone_lines l using (phone_number)
            join integration.line_subscriptions s on s.line_id = l.line_id
        ),
        chosen as (
            select id as call_id, of, queue, reason, call_day, loaded_on from called
        )
        select call_id, of as contract_number, queue, reason, call_day, loaded_on
        from (select * from chosen) x
    """)

    assert planned(copied)["call_contracts"].fate == "cut"


def test_a_value_that_is_computed_deep_in_a_query_is_no_translation(copied):
    path = copied / "sql" / "subscription-to-contract.sql"
    edit(path, "from integration.calls c", "from (select * replace (lower(queue) as queue)"
         " from integration.calls) c")  # fmt: skip

    assert planned(copied)["call_contracts"].fate == "moved"


def test_links_without_their_time_are_cut_and_the_relation_that_has_it_is_named(copied):
    edit(copied / "sql" / "contract-households.sql", "household_id, valid_from, valid_to\n",
         "household_id\n")  # fmt: skip
    edit(copied / "tables.sql", "contract_number text, household_id text, valid_from timestamptz,"
         " valid_to timestamptz\n);\ncreate table if not exists integration.account",
         "contract_number text, household_id text\n);\ncreate table if not exists"
         " integration.account")  # fmt: skip

    found = planned(copied)["contract_households"]

    assert found.fate == "cut"
    assert found.relations == ("contracts.contract-household",)


def test_a_step_that_asks_another_domain_is_not_kept(copied):
    edit(copied / "sql" / "contracts.sql", "from staging.contract_changes",
         "from staging.contract_changes where contract_number in"
         " (select contract_number from staging.invoices)")  # fmt: skip

    found = planned(copied)["contracts"]

    assert (found.fate, found.domains) == ("moved", ("finance", "sales"))


def test_what_no_product_takes_in_is_nobodys_and_nothing_of_it_is_kept(copied):
    edit(copied / "tables.sql", "create table if not exists landing.received_payments (",
         "create table if not exists landing.received_payments (bank text,")  # fmt: skip

    found = planned(copied)

    assert (found["payments"].fate, found["payments"].domains) == ("moved", ("nobody",))
    assert found["outstanding_balance"].domains == ("finance", "nobody")


def test_a_step_that_cannot_be_read_moves_and_says_why(copied):
    edit(copied / "sql" / "contracts.sql", "select contract_number, kind,", "select kind,")

    found = planned(copied)["contracts"]

    assert found.fate == "moved"
    assert found.why == "it gives other columns than integration.contracts has"


def test_without_relations_nothing_is_asked_in_place_of_what_is_cut():
    products = {name: each for name, each in PROJECT.products.items() if name != "contracts"}
    project = replace(PROJECT, products=products)

    plan = make_plan(load_jobs(FOLDER), load_tables(FOLDER / "tables.sql"), project)

    assert {each.relations for each in plan.steps} == {()}


def command(*arguments: str, root: Path = ROOT):
    app = SimpleNamespace(project=replace(PROJECT, root=root))
    return CliRunner().invoke(migrate, ["plan", *arguments], obj=app)


def test_the_command_shows_each_report_with_its_rules():
    shown = command().stdout
    found = json.loads(command("calls_per_contract", "--json").stdout)

    assert shown.count("its query is company/queries/") == 6
    assert [each["fate"] for each in found["rules"]] == ["cut", "kept", "moved"]
    (report,) = found["reports"]
    fates = [each["fate"] for each in report["steps"]]
    assert fates == ["kept"] * 4 + ["cut"] * 3 + ["moved"]
    assert {each["domain"] for each in found["landing"]} == {"customer-service", "sales", "finance"}


def test_the_picture_has_a_tile_for_every_table_and_says_what_becomes_of_it(tmp_path):
    path = tmp_path / "plan.svg"

    assert command("--svg", str(path)).exit_code == 0
    groups = list(ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}g"))  # noqa: S314
    fates = [each.get("class") for each in groups if each.find("{*}title") is not None]
    assert fates.count("cut") == 3
    assert len(fates) == len(PLAN.steps) + len(PLAN.landing)


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    found = command("--svg", str(tmp_path / "nowhere" / "plan.svg"))

    assert "cannot be written: No such file" in str(found.exception)
