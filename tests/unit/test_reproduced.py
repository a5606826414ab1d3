"""Scores that are made again are compared with those that were, and differences are told."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from mesh.cli.reproduce import Compared, compared, others, record_of, told
from mesh.errors import WrongUse


def scores(**by_contract: str) -> pa.Table:
    return pa.table(
        {
            "contract_number": list(by_contract),
            "role": ["payer"] * len(by_contract),
            "score": pa.array([Decimal(each) for each in by_contract.values()]),
        }
    )


def test_equal_scores_in_another_order_are_the_same():
    found = compared(scores(a="0.100000", b="0.200000"), scores(b="0.200000", a="0.100000"))

    assert found == Compared(equal=2, differing=0, largest=0.0, gone=0, new=0)
    assert found.is_fine(erased=0)


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (scores(a="0.100001", b="0.200000"), "1 differ, by 0.000001 at most"),
        (scores(a="0.100000"), "1 cannot be made any more"),
        (scores(a="0.100000", b="0.200000", c="0.300000"), "1 were not there"),
    ],
)
def test_whatever_differs_is_told_and_is_a_failure_where_nothing_was_erased(made, line):
    found = compared(scores(a="0.100000", b="0.200000"), made)

    assert line in told(found, {}, [])
    assert not found.is_fine(erased=0)


def test_where_somebody_was_erased_scores_may_be_a_little_apart_and_no_more():
    near = compared(scores(a="0.100000", b="0.2"), scores(a="0.110000"))
    far = compared(scores(a="0.100000"), scores(a="0.130000"))

    assert near.is_fine(erased=1)
    assert not far.is_fine(erased=1)
    places = {"invoices": ["[0] offset 7, by the request r"]}
    assert "erased since: invoices [0] offset 7, by the request r" in told(near, places, [])


def test_a_run_that_is_stopped_when_it_is_made_again_has_no_score_left():
    assert compared(scores(a="0.1"), None).gone == 1


def test_other_code_and_other_libraries_are_named():
    then = {"code_hash": "a", "libraries": json.dumps({"numpy": "2.0", "scipy": "1.0"})}
    now = {"code_hash": "b", "libraries": json.dumps({"numpy": "2.1", "scipy": "1.0"})}

    assert others(then, now) == ["the product's code", "numpy 2.0 (here 2.1)"]
    assert others(then, then) == []


def test_a_run_that_nobody_recorded_is_refused_with_those_there_are():
    with pytest.raises(WrongUse, match="there is no run 'R-1': the last ones are R-2"):
        record_of([{"run_id": "R-2"}], "R-1")
