"""Tests of a state port without a broker: its plan, its cases, and the rows it may not say."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.errors import InvalidFile
from mesh.product.cases import run_cases
from mesh.product.duck import connect_memory
from mesh.product.intake import Checker
from mesh.product.outbox import LARGEST_MESSAGE
from mesh.product.plan import plan_product
from mesh.product.state_check import StateCheck
from mesh.product.state_input import names_no_row
from tests.stats import HEAVY, STATS, write_project


@pytest.fixture
def root(tmp_path):
    """The project with both products of state ports."""
    return write_project(tmp_path)


def plan(root, product=STATS):
    return plan_product(load_project(root), product)


def difference(root, text: str, product: str = STATS, port: str = "phones") -> str:
    """How the one case of a port ends."""
    folder = root / "products" / product.replace("-", "_")
    (folder / f"{port}.test.yaml").write_text(f"cases:\n  - {{name: one, {text}}}\n")
    (outcome,) = run_cases(plan(root, product))
    return outcome.difference


def test_a_state_port_is_planned_with_its_query_and_a_table_without_origin(root):
    found = plan(root, HEAVY)

    (output,) = found.states
    assert found.outputs == (output,)
    assert found.events == ()
    assert output.query.key_input == "phones"
    assert [each.name for each in found.state_inputs] == ["phones"]
    assert [(schema, contract.id) for schema, _, contract in found.tables] == [
        ("input", "call-stats.phones"),
        ("input", "call-center.calls"),
        ("main", "call-heavy.callers"),
    ]


def test_the_digest_is_of_the_query_and_not_of_its_keys(root):
    folder = root / "products" / "call_stats"
    before = plan(root).states[0].digest
    (folder / "phones.keys.sql").unlink()
    assert plan(root).states[0].digest == before

    (folder / "phones.sql").write_text("select phone_number, 1 as calls, 2 as seconds from calls")

    assert plan(root).states[0].digest != before


def test_an_event_port_may_not_map_a_state_input(root):
    folder = root / "products" / "call_heavy"
    contract = folder / "contracts" / "callers.odcs.yaml"
    kinds = "{property: portKind, value: state}", "{property: portKind, value: event}"
    text = contract.read_text().replace(*kinds)
    contract.write_text(text + "  - {property: retention, value: P30D}\n")
    (folder / "callers.keys.sql").unlink()
    (folder / "callers.sql").write_text("select *, _cause from new_phones")

    with pytest.raises(InvalidFile, match="phones is a state input"):
        plan(root, HEAVY)


CALLS = "[{phone_number: '+2', duration_s: 3}, {phone_number: '+1', duration_s: 4}]"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"given: {{calls: {CALLS}}}, expect: [{{seconds: 4}}, {{seconds: 3}}]", ""),
        ("given: {calls: []}, expect: []", ""),
        (f"given: {{calls: {CALLS}}}, expect: [{{seconds: 3}}, {{seconds: 4}}]", "row 1: seconds"),
        (f"given: {{calls: {CALLS}}}, expect: [{{seconds: 4}}]", "row 2 is one too many"),
        ("given: {calls: [{seconds: 1}]}, expect: []", "call-center.calls has no field seconds"),
    ],
)
def test_a_case_of_a_state_port_is_its_whole_query_in_order_of_key(root, text, found):
    told = difference(root, text)

    assert found in told
    assert bool(found) == bool(told)


def test_a_case_gives_rows_of_any_of_the_inputs(root):
    given = "given: {phones: [{phone_number: '+1', calls: 2}, {phone_number: '+2', calls: 1}]}"

    expect = "expect: [{phone_number: '+1', calls: 2, seconds: 0}]"
    assert difference(root, f"{given}, {expect}", HEAVY, "callers") == ""


def test_a_case_that_gives_what_the_query_does_not_read_is_a_fault(root):
    with pytest.raises(InvalidFile, match="gives links"):
        difference(root, "given: {links: []}, expect: []")


class Sized:
    """Values of as many bytes as a row's number of calls."""

    def values(self, rows: pa.Table) -> list[bytes]:
        return [b"x" * each for each in rows["calls"].to_pylist()]


def judged(
    root, rows: list[tuple[str | None, int, int]]
) -> tuple[list[int], list[tuple[int, str]]]:
    """The seconds of the rows that may be said, and position and rule of the others."""
    contract = plan(root).states[0].contract
    names = arrow_schema(contract).names
    given = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    check = StateCheck(contract, Checker(), Sized())
    good, violations = check(given)
    return good["seconds"].to_pylist(), sorted((each.row, each.rule) for each in violations)


def test_none_of_several_rows_of_a_key_is_said(root):
    said, refused = judged(root, [("+1", 1, 10), ("+2", 1, 20), ("+1", 2, 30)])

    assert said == [20]
    assert refused == [(0, "one-row-a-key"), (2, "one-row-a-key")]


def test_a_row_that_breaks_the_contract_is_not_said(root):
    said, refused = judged(root, [("+1", 1, -1), (None, 1, 5), ("+2", 1, 20)])

    assert said == [20]
    assert [row for row, _ in refused] == [0, 1]


def test_a_row_too_large_for_a_message_is_not_said(root):
    large = LARGEST_MESSAGE + 1
    many = [(f"+{n}", 1, n) for n in range(40_000)]

    said, refused = judged(root, [("+x", large, 7), *many])

    assert len(said) == len(many)
    assert refused == [(0, "size")]


def test_a_tombstone_names_a_row_by_its_canonical_key_only(root):
    contract = plan(root).states[0].contract
    calls = plan(root).inputs[0].contract
    id_ = b"0f0f0f0f-0000-4000-8000-00000000000a"
    with connect_memory() as connection:
        assert names_no_row(connection, contract, [b"+1", b"anything"]) == []
        assert names_no_row(connection, calls, [b"x", id_, id_.upper()]) == [0, 2]
        assert names_no_row(connection, calls, []) == []
