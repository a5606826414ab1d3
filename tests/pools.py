"""Small pools of values for the fields of contracts, so that rows of different ports meet.

Fields with the same identifier, or else the same name and type, share a pool; the ends of a
relation are its identifiers. What a contract says of a field (enumeration, pattern, least and
most) decides what its pool holds; rules over several fields are left to whoever checks the rows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from mesh.contract.field_type import FieldType, Part
from mesh.contract.model import Contract, Field

__all__ = ["pools", "rows_of"]

MOST = 4
DAY = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
LETTERS = st.characters(min_codepoint=32, max_codepoint=126)


def pools(contracts: Sequence[Contract]) -> st.SearchStrategy[dict[str, list[Any]]]:
    """Draw a few values for every field of *contracts*, by the name of the pool."""
    fields = [(contract, each) for contract in contracts for each in contract.fields]
    # Where two contracts share a pool, the one that says more of its values decides.
    fields.sort(key=lambda each: len(repr(limits(property_of(*each)))))
    wanted = {
        pool_of(contract, each): values_of(each, property_of(contract, each))
        for contract, each in fields
    }
    return st.fixed_dictionaries(
        {
            name: st.lists(values, min_size=1, max_size=MOST, unique_by=repr)
            for name, values in wanted.items()
        }
    )


def rows_of(
    contract: Contract, drawn: Mapping[str, Sequence[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a row of *contract* from the pools."""

    def column(field: Field) -> st.SearchStrategy[Any]:
        some = st.sampled_from(drawn[pool_of(contract, field)])
        return some if field.is_required else st.none() | some | some

    return st.fixed_dictionaries({each.name: column(each) for each in contract.fields})


def pool_of(contract: Contract, field: Field) -> str:
    """The pool of a field."""
    ends = relation_of(contract)
    by_end = {"from_id": ends.get("from"), "to_id": ends.get("to")}.get(field.name)
    return str(field.identifier or by_end or f"{field.name} {field.type.kind}")


def relation_of(contract: Contract) -> Mapping[str, object]:
    """The relation that a contract declares, if any."""
    customs = contract.document.get("customProperties")
    for each in customs if isinstance(customs, list) else []:
        if each.get("property") == "relation" and isinstance(each.get("value"), dict):
            return dict(each["value"])
    return {}


def property_of(contract: Contract, field: Field) -> Mapping[str, Any]:
    """What the contract's file says of a field."""
    schema = contract.document.get("schema")
    properties = schema[0]["properties"] if isinstance(schema, list) else []
    return next((dict(each) for each in properties if each["name"] == field.name), {})


def limits(given: Mapping[str, Any]) -> tuple[object, ...]:
    """What keeps a field's values within bounds."""
    return tuple(given[name] for name in ("enum", "logicalTypeOptions") if name in given)


def values_of(field: Field, given: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a field may have by what its contract says."""
    if "enum" in given:
        return st.sampled_from([each["value"] for each in given["enum"]])
    options = given.get("logicalTypeOptions") or {}
    if "pattern" in options:
        # Unicode's digits fit Python's patterns, and not RE2's.
        return st.from_regex(options["pattern"], alphabet=LETTERS).map(
            lambda text: text.rstrip("\n")
        )
    least = options.get("minimum", options.get("exclusiveMinimum"))
    if field.type.kind in ("int32", "int64") and least is not None:
        return st.integers(0, 5).map(lambda value: int(least) + value + ("minimum" not in options))
    return plain(field.type, int(options.get("minLength", 0)))


def plain(type_: FieldType, length: int = 0) -> st.SearchStrategy[Any]:
    """A few values of a type; extremes are the business of other tests."""
    if type_.kind == "list" and type_.item:
        return st.lists(nullable(type_.item), max_size=2)
    if type_.kind == "struct":
        return st.fixed_dictionaries({each.name: nullable(each) for each in type_.parts})
    if type_.kind == "decimal":
        return st.integers(0, min(500, 10**type_.precision - 1)).map(
            lambda value: Decimal(value).scaleb(-type_.scale)
        )
    return {
        "string": st.sampled_from(["a", "b", "c", "d"]).map(lambda text: text.ljust(length, "x")),
        "uuid": st.integers(0, 9).map(lambda value: str(uuid.UUID(int=value))),
        "int32": st.integers(0, 5),
        "int64": st.integers(0, 5),
        "float32": st.sampled_from([0.0, 0.5, 1.5]),
        "float64": st.sampled_from([0.0, 0.5, 1.5]),
        "boolean": st.booleans(),
        "date": st.integers(0, 5).map(lambda days: DAY.date() + dt.timedelta(days=days)),
        # Minutes in any order: what comes late is as likely as what does not.
        "timestamp": st.integers(0, 5).map(lambda value: DAY + dt.timedelta(minutes=value)),
    }[type_.kind]


def nullable(part: Part) -> st.SearchStrategy[Any]:
    """Values of a part, nothing among them where it is optional."""
    return plain(part.type) if part.is_required else st.none() | plain(part.type)
