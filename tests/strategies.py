"""Hypothesis strategies for random contracts and rows that fit them.

Rows are dictionaries of Python values; instants are `datetime` in UTC, money is `Decimal`.

    @given(contracts().flatmap(lambda c: st.tuples(st.just(c), tables(c))))
    def test_…(given): contract, table = given
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from hypothesis import strategies as st

from mesh.contract.model import Contract, Field, Rule
from mesh.contract.types import FieldType, Part, arrow_schema, parse_type

__all__ = ["contract_of", "contracts", "contracts_with_tables", "field_of", "rows", "tables"]

_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,7}", fullmatch=True) | st.sampled_from(
    ["at", "asof", "last", "order", "select", "item", "value"]
)
_SCALARS: list[dict[str, object]] = [
    {"logicalType": "string"},
    {"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}},
    {"logicalType": "integer"},
    {"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}},
    {"logicalType": "number"},
    {"logicalType": "number", "logicalTypeOptions": {"format": "f32"}},
    {"logicalType": "boolean"},
    {"logicalType": "date"},
    {"logicalType": "timestamp"},
]
_TOPIC = "pub.sales.shop.orders.v1"


def contract_of(*fields: Field, rules: tuple[Rule, ...] = (), topic: str = _TOPIC) -> Contract:
    """Return a contract of these fields; the rest is filled in."""
    return Contract(
        id="shop.orders",
        version="1.0.0",
        name="Orders",
        domain="sales",
        product="shop",
        description="One row per order.",
        topic=topic,
        kind="event",
        fields=fields,
        rules=rules,
        partitions=4,
        retention_ms=None,
        purpose=None,
        access="auto",
        path=Path("orders.odcs.yaml"),
        document={},
    )


def field_of(
    name: str,
    type_: str = "string",
    *,
    required: bool = False,
    key: int = 0,
    personal: bool = False,
    **more: object,
) -> Field:
    """Return a field of an ODCS logical type; *more* are further keys of the property."""
    property_ = {"logicalType": type_, "required": required} | more
    return Field(
        name=name,
        type=parse_type(property_),
        is_required=required,
        key_position=key,
        is_personal=personal,
    )


def _decimals() -> st.SearchStrategy[dict[str, object]]:
    digits = st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p)))
    return digits.map(
        lambda d: {"logicalType": "number", "physicalType": f"decimal({d[0]},{d[1]})"}
    )


def _properties(depth: int = 2) -> st.SearchStrategy[dict[str, object]]:
    scalars = st.sampled_from(_SCALARS) | _decimals()
    if not depth:
        return scalars
    inner = st.builds(
        lambda one, required: one | {"required": required}, _properties(depth - 1), st.booleans()
    )
    lists = inner.map(lambda one: {"logicalType": "array", "items": one})
    named = st.dictionaries(_NAMES, inner, min_size=1, max_size=3)
    objects = named.map(
        lambda parts: {
            "logicalType": "object",
            "properties": [one | {"name": name} for name, one in parts.items()],
        }
    )
    return st.one_of(scalars, scalars, lists, objects)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Draw a contract of one to five fields of any type, nested up to two deep."""
    named = draw(st.dictionaries(_NAMES, _properties(), min_size=1, max_size=5))
    return contract_of(
        *(
            Field(name=name, type=parse_type(one), is_required=draw(st.booleans()))
            for name, one in named.items()
        )
    )


def rows(contract: Contract, *, most: int = 6) -> st.SearchStrategy[list[dict[str, object]]]:
    """Draw rows that fit *contract*, extremes included."""
    row = st.fixed_dictionaries(
        {
            f.name: _values(Part(name=f.name, type=f.type, is_required=f.is_required))
            for f in contract.fields
        }
    )
    return st.lists(row, max_size=most)


def tables(contract: Contract, *, most: int = 6) -> st.SearchStrategy[pa.Table]:
    """Draw tables of rows that fit *contract*."""
    schema = arrow_schema(contract)
    return rows(contract, most=most).map(lambda some: pa.Table.from_pylist(some, schema=schema))


def contracts_with_tables() -> st.SearchStrategy[tuple[Contract, pa.Table]]:
    """Draw a contract and a table that fits it."""
    return contracts().flatmap(lambda one: st.tuples(st.just(one), tables(one)))


def _values(part: Part) -> st.SearchStrategy[object]:
    plain = _plain(part.type)
    return plain if part.is_required else st.none() | plain


def _plain(type_: FieldType) -> st.SearchStrategy[object]:
    if type_.kind == "list" and type_.item:
        return st.lists(_values(type_.item), max_size=3)
    if type_.kind == "struct":
        return st.fixed_dictionaries({part.name: _values(part) for part in type_.parts})
    if type_.kind == "decimal":
        most = 10**type_.precision - 1
        extremes = st.sampled_from([0, 1, -1, 127, 128, -128, -129, most, -most])
        whole = extremes.map(lambda v: max(-most, min(most, v))) | st.integers(-most, most)
        return whole.map(lambda v: _scaled(v, type_.scale))
    return _SCALAR_VALUES[type_.kind]


def _scaled(unscaled: int, scale: int) -> Decimal:
    # Built from digits: arithmetic would round to the context's 28.
    digits = tuple(int(d) for d in str(abs(unscaled)))
    return Decimal((int(unscaled < 0), digits, -scale))


def _integers(bits: int) -> st.SearchStrategy[object]:
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    return st.sampled_from([least, most, 0, 63, 64, -64, -65]) | st.integers(least, most)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "\0", "a\0b", "é" * 40, "🙂" * 3000, "x" * 4096, "\u202e", "e\u0301"]
)
_FLOATS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, 5e-324])
_SCALAR_VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": _TEXTS,
    "uuid": st.uuids().map(str),
    "int32": _integers(32),
    "int64": _integers(64),
    "float32": st.floats(width=32, allow_nan=False) | st.sampled_from([-0.0, math.inf]),
    "float64": _FLOATS,
    "boolean": st.booleans(),
    "date": st.dates() | st.sampled_from([dt.date.min, dt.date.max, dt.date(1970, 1, 1)]),
    "timestamp": st.datetimes(timezones=st.just(dt.UTC))
    | st.sampled_from(
        [dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)]
    ),
}
