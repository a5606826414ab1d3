"""Tests of `mesh test`: given rows, expected rows, and how a case that fails says so."""

from __future__ import annotations

import shutil

import pytest

from mesh.contract.project import load_project
from mesh.errors import InvalidFile
from mesh.product.cases import run_cases
from mesh.product.plan import plan_product
from tests.repository import ROOT


@pytest.fixture
def outcomes(tmp_path):
    """Run the text of a file of cases against the call center's query."""
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "products" / "call_center" / "calls_masked.test.yaml").unlink()
    plan = plan_product(load_project(tmp_path), "call-center")

    def run(text: str):
        path = plan.outputs[0].port.sql_path.with_suffix(".test.yaml")
        path.write_text(text)
        return run_cases(plan)

    return run


def case(given: str, expect: str, relation: str = "new_finished_calls") -> str:
    return f"cases:\n  - name: one\n    given: {{{relation}: {given}}}\n    expect: {expect}\n"


CALL = "{started_at: '2026-03-02T09:00:00Z', ended_at: '2026-03-02T09:00:30Z'}"


def test_the_cases_that_ship_hold():
    outcomes = run_cases(plan_product(load_project(ROOT), "call-center"))

    assert outcomes
    assert [each.difference for each in outcomes if not each.is_ok] == []


def test_a_case_that_holds_says_nothing(outcomes):
    (outcome,) = outcomes(case(f"[{CALL}]", "[{duration_s: 30}]"))

    assert outcome.is_ok
    assert (outcome.port, outcome.case) == ("call-center.calls", "one")


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("[{duration_s: 31, queue: null}]", "row 1: duration_s is '30', expected '31'"),
        ("[{queue: billing}]", "row 1: queue is None, expected 'billing'"),
        ("[]", "row 1 is one too many"),
        ("[{duration_s: 30}, {duration_s: 30}]", "row 2 is missing: {'duration_s': '30'}"),
        ("[{length: 30}]", "call-center.calls has no field length"),
        ("[{duration_s: long}]", "Could not convert string 'long'"),
    ],
)
def test_a_case_that_fails_shows_the_difference(outcomes, expect, difference):
    (outcome,) = outcomes(case(f"[{CALL}]", expect))

    assert difference in outcome.difference


def test_a_given_column_that_the_input_does_not_have_is_named(outcomes):
    (outcome,) = outcomes(case("[{telephone: '1'}]", "[]"))

    assert outcome.difference.endswith("call-center.finished-calls has no field telephone")


def test_a_row_for_which_the_query_fails_is_the_difference(outcomes, tmp_path):
    sql = tmp_path / "products" / "call_center" / "calls.sql"
    sql.write_text("select cast(queue as integer) as duration_s, _cause from new_finished_calls")
    plan = plan_product(load_project(tmp_path), "call-center")
    path = plan.outputs[0].port.sql_path.with_suffix(".test.yaml")
    path.write_text(case("[{queue: billing}]", "[{duration_s: 1}]"))

    (outcome,) = run_cases(plan)

    assert "the query fails for a row: " in outcome.difference
    assert "'billing'" in outcome.difference


def test_one_case_that_fails_does_not_hide_the_next(outcomes):
    text = case(f"[{CALL}]", "[{duration_s: 31}]")

    found = outcomes(text + text.removeprefix("cases:\n").replace("31", "30"))

    assert [each.is_ok for each in found] == [False, True]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("cases: []", 1, "no list `cases`"),
        ("tests: []", 1, "no list `cases`"),
        ("cases: [one]", 1, "item 1 is not a mapping"),
        (case("[]", "[]", relation="new_calls"), 3, "gives new_calls"),
        (case("[]", "[]").replace("given", "when"), 2, "`given` is not a mapping"),
        (case("[]", "[]").replace("expect", "expects"), 2, "`expect` is not a list"),
        (case("{}", "[]"), 3, "`new_finished_calls` is not a list"),
        (case("[billing]", "[]"), 3, "item 1 is not a mapping"),
        (case("[]", "[30]"), 4, "item 1 is not a mapping"),
        ("cases: [", 2, ""),
        ("[1, 2]", 1, ""),
    ],
)
def test_a_file_that_holds_no_cases_is_a_fault_with_its_line(outcomes, text, line, problem):
    with pytest.raises(InvalidFile) as found:
        outcomes(text)

    (fault,) = found.value.faults
    assert fault.line == line
    assert problem in fault.problem
    assert fault.remedy
