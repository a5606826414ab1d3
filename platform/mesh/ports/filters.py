"""Filters over a contract's fields: parameters of a query become a condition with bound values.

    queue=billing&queue=sales&started_at.gte=2026-01-01

A null compares with nothing; `is_null` asks for it. Not here: what of the rows is wanted and
how (`question`), the types of values (`typed`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.model import Contract, Field
from mesh.contract.names import listed, nearest, shown
from mesh.errors import WrongUse
from mesh.ports.typed import Scalar, placeholder, value_of
from mesh.product.duck import quoted

__all__ = ["Condition", "condition_of", "operators_of"]

MAX_VALUES = 100
COMPARISONS = {"ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# These stand once; of `ne`, all must hold, and of equal values, any.
SINGLE = ("gt", "gte", "lt", "lte", "prefix", "is_null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition in SQL with the values to bind, in order."""

    sql: str
    values: tuple[Scalar, ...]


def operators_of(field: Field) -> tuple[str, ...]:
    """What may stand after a field's name and a dot."""
    if field.type.is_nested:
        return ("is_null",)
    order = () if field.type.kind == "boolean" else ("gt", "gte", "lt", "lte")
    prefix = ("prefix",) if field.type.kind == "string" else ()
    return ("eq", "ne", *order, *prefix, "is_null")


def condition_of(contract: Contract, given: Mapping[str, Sequence[str]]) -> Condition:
    """The condition that all of *given* (parameter to values) hold.

    Raises `WrongUse` for a field, an operator or a value that does not fit.
    """
    if sum(map(len, given.values())) > MAX_VALUES:
        raise WrongUse(f"more than {MAX_VALUES} values to compare with: ask in several questions")
    parts = [part for name, texts in given.items() for part in _parts(contract, name, texts)]
    return Condition(
        sql=" and ".join(part.sql for part in parts) or "true",
        values=tuple(value for part in parts for value in part.values),
    )


def _parts(contract: Contract, name: str, texts: Sequence[str]) -> Iterator[Condition]:
    field, operator = _resolve(contract, name)
    column, typed = quoted(field.name), placeholder(field.type)
    if operator in SINGLE and len(texts) > 1:
        raise WrongUse(f"{name} is there {len(texts)} times: give it once")
    if operator == "is_null":
        is_null = {"true": True, "false": False}.get(texts[0])
        if is_null is None:
            raise WrongUse(f"{name}: {shown(texts[0])} is not true or false")
        yield Condition(sql=f"{column} is {'' if is_null else 'not '}null", values=())
        return
    values = tuple(_value(name, text, field) for text in texts)
    if operator == "eq":
        some = ", ".join([typed] * len(values))
        yield Condition(sql=f"{column} in ({some})", values=values)
    elif operator == "prefix":
        yield Condition(sql=f"starts_with({column}, {typed})", values=values)
    else:
        for value in values:
            yield Condition(sql=f"{column} {COMPARISONS[operator]} {typed}", values=(value,))


def _value(name: str, text: str, field: Field) -> Scalar:
    try:
        return value_of(text, field.type)
    except WrongUse as error:
        raise WrongUse(f"{name}: {error}") from error


def _resolve(contract: Contract, name: str) -> tuple[Field, str]:
    """The field and the operator that a parameter names."""
    word, _, operator = name.partition(".")
    fields = {each.name: each for each in contract.fields}
    if word not in fields:
        near = nearest(word, fields)
        hint = f"did you mean {near}?" if near else f"the fields are {listed(fields)}"
        raise WrongUse(f"{contract.id} has no field {shown(word)}: {hint}")
    possible = operators_of(fields[word])
    if (operator or "eq") not in possible or name == f"{word}.":
        forms = listed([f"{word}.{each}" for each in possible])
        raise WrongUse(f"{shown(name)} cannot be asked: {word} has {forms}")
    return fields[word], operator or "eq"
