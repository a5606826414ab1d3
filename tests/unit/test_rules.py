"""The judgement of rows: types and required values first, then the contract's rules."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings

from mesh.contract.model import Rule
from mesh.contract.rules import check, fit, quoted
from mesh.contract.types import arrow_schema
from mesh.errors import MeshError
from tests.strategies import contract_of, contracts_with_tables, field_of

I32 = {"logicalTypeOptions": {"format": "i32"}}
F32 = {"logicalTypeOptions": {"format": "f32"}}
UUID = {"logicalTypeOptions": {"format": "uuid"}}


def judged(contract, **columns):
    """Return (row, field, rule) of each violation of the rules by these columns."""
    table = pa.table(columns, schema=arrow_schema(contract))
    numbered = table.append_column("_row", pa.array(range(table.num_rows), pa.int64()))
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", numbered)
        return check(connection, "rows", contract)


@given(given=contracts_with_tables())
@settings(max_examples=60, deadline=None)
def test_what_fits_is_returned_as_it_is(given):
    contract, table = given

    fitted = fit(table, contract)
    assert fitted.violations == []
    assert list(fitted.good) == list(range(table.num_rows))
    assert fitted.table.equals(table)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (field_of("a", "integer", **I32), pa.array([1, -(2**31)]), pa.array([2**31])),
        (field_of("a", "integer"), pa.array([1.0, -5.0]), pa.array([1.5])),
        (field_of("a", "integer"), pa.array([Decimal(7)], pa.decimal128(38, 0)),
         pa.array([Decimal(2**63)], pa.decimal128(38, 0))),
        (field_of("a", "integer"), pa.array(["12", "-3"]), pa.array(["twelve"])),
        (field_of("a", "number"), pa.array([1, 2**53]), pa.array([2**53 + 1])),
        (field_of("a", "number", **F32), pa.array([0.5, float("inf")]), pa.array([1e300])),
        (field_of("a", "number"), pa.array(["1e300", "-inf", "nan"]), pa.array(["1e400"])),
        (field_of("a", "number", **F32), pa.array(["1e30"]), pa.array(["1e300"])),
        (field_of("a", "number", physicalType="decimal(4,2)"), pa.array([Decimal("12.500")]),
         pa.array([Decimal("1.234")])),
        (field_of("a", "number", physicalType="decimal(4,2)"), pa.array([7]), pa.array([100])),
        (field_of("a", "number", physicalType="decimal(4,2)"), pa.array(["-1.5", "9"]),
         pa.array(["1.001"])),
        (field_of("a", **UUID), pa.array(["AAAAAAAA-0000-0000-0000-000000000000"]),
         pa.array(["not a uuid"])),
        (field_of("a", "date"), pa.array([dt.date.max]),
         pa.array([2932897], pa.int32())),
        (field_of("a", "date"), pa.array(["2024-02-29"]), pa.array(["2023-02-29"])),
        (field_of("a", "timestamp"), pa.array([0]).cast(pa.timestamp("ns")),
         pa.array([1]).cast(pa.timestamp("ns"))),
        (field_of("a", "timestamp"), pa.array(["2024-01-01T00:00:00+02:00"]),
         pa.array(["2024-01-01T00:00:00"])),
        (field_of("a", "timestamp"), pa.array([0]).cast(pa.timestamp("us")),
         pa.array([2**63 - 1]).cast(pa.timestamp("us", tz="UTC"))),
        (field_of("a", "boolean"), pa.array(["true", "false"]), pa.array(["perhaps"])),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_costs_only_its_own_row(field, good, bad):
    contract = contract_of(field)

    assert fit(pa.table({"a": good}), contract).violations == []
    mixed = pa.chunked_array([good, bad.cast(good.type), good])
    fitted = fit(pa.table({"a": mixed}), contract)
    (violation,) = fitted.violations
    assert (violation.row, violation.field, violation.rule) == (len(good), "a", "type")
    assert len(good) not in fitted.good
    assert fitted.table.num_rows == 2 * len(good)
    assert fitted.table.schema == arrow_schema(contract)


def test_null_in_a_required_field_is_named_as_deep_as_it_lies():
    part = {"name": "x", "logicalType": "integer", "required": True}
    contract = contract_of(
        field_of("a", required=True),
        field_of("l", "array", items={"logicalType": "object", "properties": [part]}),
    )
    table = pa.table(
        {
            "a": ["1", None, "3", "4"],
            "l": [None, [{"x": 1}], [None, {"x": 1}, {"x": None}], []],
        }
    )

    fitted = fit(table, contract)
    found = [(v.row, v.field, v.rule) for v in fitted.violations]
    assert found == [(1, "a", "required"), (2, "l[].x", "required")]
    assert fitted.table.to_pylist() == [{"a": "1", "l": None}, {"a": "4", "l": []}]
    assert fitted.good == [0, 3]


def test_what_duckdb_computed_fits_without_casts():
    contract = contract_of(field_of("n", "integer"), field_of("x", "number"), field_of("empty"))
    with duckdb.connect() as connection:
        result = connection.sql("select sum(1) as n, 1.5 as x, null as empty").to_arrow_table()

    assert fit(result, contract).table.to_pylist() == [{"n": 1, "x": 1.5, "empty": None}]


def test_a_column_that_cannot_be_meant_is_a_mistake_of_the_sql():
    contract = contract_of(field_of("a", "date"), field_of("b"))

    with pytest.raises(MeshError, match="no column b"):
        fit(pa.table({"a": ["x"]}), contract)
    with pytest.raises(MeshError, match="a column c"):
        fit(pa.table({"a": ["x"], "b": ["x"], "c": [1]}), contract)
    with pytest.raises(MeshError, match="column a is int64, the contract says date"):
        fit(pa.table({"a": [1], "b": ["x"]}), contract)


def test_a_personal_value_is_not_quoted_and_another_is():
    contract = contract_of(
        field_of("n", "integer"),
        field_of("p", "integer", personal=True),
        rules=(
            Rule(name="small", field="n", expression="n < 5", reason="n must be below 5"),
            Rule(name="small_p", field="p", expression="p < 5", reason="p must be below 5"),
        ),
    )

    assert [
        v.reason for v in fit(pa.table({"n": ["x"], "p": ["secret"]}), contract).violations
    ] == [
        "n must be a whole number of 64 bits; it is 'x'",
        "p must be a whole number of 64 bits",
    ]
    assert [v.reason for v in judged(contract, n=[7], p=[7])] == [
        "n must be below 5; it is '7'",
        "p must be below 5",
    ]


def test_each_broken_rule_of_each_row_is_found():
    contract = contract_of(
        field_of("at", "timestamp"),
        field_of("last", "timestamp"),
        field_of("queue"),
        rules=(
            Rule(name="order", field=None, expression='"last" >= "at"', reason="last before at"),
            Rule(name="enum", field="queue", expression="queue in ('a', 'b')", reason="a or b"),
        ),
    )
    early, late = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, tzinfo=dt.UTC)

    violations = judged(
        contract, at=[early, late, late], last=[late, early, None], queue=["a", "c", None]
    )
    assert [(v.row, v.field, v.rule) for v in violations] == [
        (1, None, "order"),
        (1, "queue", "enum"),
    ]


def test_a_rule_that_cannot_be_computed_for_a_row_is_broken_by_that_row_only():
    rule = Rule(name="year", field="a", expression="cast(a as integer) > 0 -- why", reason="a > 0")
    contract = contract_of(field_of("a"), rules=(rule,))

    violations = judged(contract, a=["1", "x", "0", None])
    assert [(v.row, v.reason) for v in violations] == [
        (1, "cannot be computed: a > 0; it is 'x'"),
        (2, "a > 0; it is '0'"),
    ]


def test_a_rule_that_is_no_sql_is_a_mistake_of_the_contract():
    rule = Rule(name="odd", field=None, expression="nobody > 1", reason="")

    with pytest.raises(MeshError, match=r"the rules of shop\.orders"):
        judged(contract_of(field_of("a"), rules=(rule,)), a=["x"])


def test_a_contract_without_rules_breaks_none():
    assert judged(contract_of(field_of("a")), a=["x"]) == []


def test_a_quoted_value_is_short_and_on_one_line():
    assert quoted("a\nb") == "'a\\nb'"
    assert len(quoted("x" * 10_000)) == 42
