"""Who had which phone in the VAST Challenge 2008, and the evidence for it in the calls.

The key ring attributes the calls: `tests/integration/test_key_ring_door.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest

from company.vast2008 import CHANGED, STATEMENT, phone_persons
from mesh.contract.odcs import load_contract
from mesh.contract.types import arrow_schema

ROOT = Path(__file__).parents[2]
REAL_FILE = ROOT.parent / "shared" / "data" / "vast2008-cell-calls.csv"
NEEDS_THE_FILE = pytest.mark.skipif(not REAL_FILE.exists(), reason="the contest's file is not here")


def test_the_links_are_statements_as_every_relation_port_has_them():
    path = ROOT / "products/contracts/contracts/phone_number_contract.odcs.yaml"
    fields = arrow_schema(load_contract(path))

    assert STATEMENT.equals(fields)
    assert phone_persons().schema.equals(STATEMENT)
    assert len(set(phone_persons()["statement_id"].to_pylist())) == 405


def test_a_phone_that_changed_hands_has_two_links_that_do_not_overlap():
    first, second = phone_persons([300]).to_pylist()

    assert (first["to_id"], second["to_id"]) == ("P-000300", "P-000200")
    assert first["valid_to"] == second["valid_from"]
    assert first["valid_from"] is second["valid_to"] is None


@NEEDS_THE_FILE
def test_the_people_that_called_the_old_phones_go_on_to_call_the_new_ones():
    """The evidence for the contest's answer: who is called moves over from one day to the next."""
    received = Counter(
        duckdb.sql(
            f"select \"To\", Datetime[:8]::int >= 20060608 from read_csv('{REAL_FILE}',"
            " types = {'Datetime': 'varchar'})"
        ).fetchall()
    )
    for old, new in CHANGED.items():
        assert received[old, False] > 10 * received[old, True]
        assert received[new, True] > 8 * received[new, False]
