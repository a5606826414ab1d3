"""Makes a contract's promises about one row into SQL, for DuckDB.

Enumerations, lengths, patterns and bounds become one boolean expression each, at any depth;
rules of `engine: mesh` are judged first (`mesh.contract.expression`). `required` is the
types' business, and rules over a set of rows (`rowCount`, `duplicateValues`) are kept in the
document but not evaluated.

    rules_of(document)[0].expression  # "queue" in ('billing', 'technical')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mesh.contract.expression import ExpressionProblem, canonical_expression
from mesh.contract.field_type import FieldType, TypeProblem, parse_type
from mesh.contract.literals import LiteralProblem, literal, quoted_text
from mesh.contract.model import Rule
from mesh.contract.names import listed

__all__ = ["RuleProblem", "read_rules", "rules_of"]

_Path: TypeAlias = tuple[str | int, ...]

_BOUNDS = {
    "minimum": (">=", "below"),
    "maximum": ("<=", "above"),
    "exclusiveMinimum": (">", "not above"),
    "exclusiveMaximum": ("<", "not below"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """A promise that cannot become a rule: its place in the document and what to write."""

    where: _Path
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operand:
    """One value of a row: its column, its name for people, and the SQL that gives it."""

    column: str
    name: str
    sql: str
    type: FieldType


def rules_of(document: Mapping[str, object]) -> tuple[Rule, ...]:
    """Return the row rules of an ODCS *document*.

    Raises `ExpressionProblem` for the first promise that cannot become one.
    """
    found = list(read_rules(document))
    for _, one in found:
        if isinstance(one, RuleProblem):
            raise ExpressionProblem(one.problem, one.remedy)
    return tuple(one for _, one in found if isinstance(one, Rule))


def read_rules(document: Mapping[str, object]) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    """Yield every row rule of an ODCS *document* with its place, and every promise that is none.

    Whatever has another form than ODCS gives it is passed over: the schema check names it.
    """
    for index, schema in _numbered(document.get("schema")):
        properties = _numbered(schema.get("properties"))
        columns = {str(one.get("name")) for _, one in properties}
        base: _Path = ("schema", index)
        for position, one in properties:
            where = (*base, "properties", position)
            yield from _property_rules(one, where)
            yield from _custom_rules(one, where, columns, field=str(one.get("name")))
        yield from _custom_rules(schema, base, columns, field=None)


def _property_rules(
    given: Mapping[str, object], where: _Path
) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    try:
        type_ = parse_type(given)
    except TypeProblem:
        return
    name = str(given.get("name"))
    sql = '"' + name.replace('"', '""') + '"'  # the name may not have been judged yet
    yield from _value_rules(given, where, _Operand(column=name, name=name, sql=sql, type=type_))


def _value_rules(
    given: Mapping[str, object], where: _Path, operand: _Operand
) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    for suffix, place in _promises(given):
        try:
            rule = _rule(given, suffix, operand)
        except LiteralProblem as problem:
            place = (*where, *place, *problem.where)
            yield (
                place,
                RuleProblem(where=place, problem=problem.problem, remedy=problem.remedy),
            )
        else:
            yield (*where, *place), rule
    if operand.type.kind == "struct":
        yield from _part_rules(given, where, operand)
    elif operand.type.kind == "list":
        yield from _item_rules(given, where, operand)


def _promises(given: Mapping[str, object]) -> Iterator[tuple[str, _Path]]:
    if isinstance(given.get("enum"), list):
        yield "enum", ("enum",)
    options = given.get("logicalTypeOptions")
    for option in options if isinstance(options, Mapping) else ():
        if option in _BOUNDS or option in _OPTIONS:
            yield option, ("logicalTypeOptions", option)


_OPTIONS = {
    "minLength": ("length({sql}) >= {value}", "{name} has fewer than {value} characters"),
    "maxLength": ("length({sql}) <= {value}", "{name} has more than {value} characters"),
    "minItems": ("len({sql}) >= {value}", "{name} has fewer than {value} items"),
    "maxItems": ("len({sql}) <= {value}", "{name} has more than {value} items"),
    "multipleOf": ("{sql} % {value} = 0", "{name} is not a multiple of {value}"),
    "uniqueItems": ("len(list_distinct({sql})) = len({sql})", "{name} holds an item twice"),
    "pattern": ("regexp_matches({sql}, {text})", "{name} does not match {value}"),
}


def _rule(given: Mapping[str, object], suffix: str, operand: _Operand) -> Rule:
    sql, name = operand.sql, operand.name
    if suffix == "enum":
        values, literals = _enum(given, operand.type)
        expression = f"{sql} in ({', '.join(literals)})" if literals else f"{sql} is null"
        reason = f"{name} is not one of {listed(values)}"
    else:
        options = given["logicalTypeOptions"]
        value = options[suffix] if isinstance(options, Mapping) else None
        if suffix in _BOUNDS:
            sign, words = _BOUNDS[suffix]
            expression = f"{sql} {sign} {literal(value, operand.type)}"
            reason = f"{name} is {words} {value}"
        else:
            expression, reason = _option(suffix, value, operand)
    return Rule(name=f"{name}.{suffix}", field=operand.column, expression=expression, reason=reason)


def _option(suffix: str, value: object, operand: _Operand) -> tuple[str, str]:
    expression, reason = _OPTIONS[suffix]
    if suffix == "pattern":
        text = quoted_text(value)
    elif suffix == "uniqueItems":
        text = ""
        expression = expression if value is True else "true"
    else:
        text = literal(value, FieldType(kind="float64" if suffix == "multipleOf" else "int64"))
    as_text = f"cast({operand.sql} as varchar)" if operand.type.kind == "uuid" else operand.sql
    words = reason.format(name=operand.name, value=value)
    return expression.format(sql=as_text, value=text, text=text), words


def _enum(given: Mapping[str, object], type_: FieldType) -> tuple[list[object], list[str]]:
    """Return the values of an enumeration and their literals; null is left to `required`."""
    values, literals = [], []
    for index, one in _numbered(given.get("enum")):
        value = one.get("value")
        if value is None:
            continue
        try:
            literals.append(literal(value, type_))
        except LiteralProblem as problem:
            problem.where = (index, "value")
            raise
        values.append(value)
    return values, literals


def _part_rules(
    given: Mapping[str, object], where: _Path, operand: _Operand
) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    types = {part.name: part.type for part in operand.type.parts}
    for index, one in _numbered(given.get("properties")):
        name = str(one.get("name"))
        inner = _Operand(
            column=operand.column,
            name=f"{operand.name}.{name}",
            sql=f"struct_extract({operand.sql}, {quoted_text(name)})",
            type=types[name],
        )
        yield from _value_rules(one, (*where, "properties", index), inner)


def _item_rules(
    given: Mapping[str, object], where: _Path, operand: _Operand
) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    items = given.get("items")
    if not isinstance(items, Mapping) or not operand.type.item:
        return
    variable = f"item_{len(where)}"  # the depth keeps the variables of nested lists apart
    inner = _Operand(
        column=operand.column, name=f"{operand.name}[]", sql=variable, type=operand.type.item.type
    )
    for place, found in _value_rules(items, (*where, "items"), inner):
        if isinstance(found, Rule):
            mapped = f"list_transform({operand.sql}, lambda {variable}: {found.expression})"
            found = Rule(
                name=found.name,
                field=found.field,
                expression=f"list_bool_and({mapped})",
                reason=found.reason,
            )
        yield place, found


def _custom_rules(
    given: Mapping[str, object], where: _Path, columns: set[str], *, field: str | None
) -> Iterator[tuple[_Path, Rule | RuleProblem]]:
    for index, one in _numbered(given.get("quality")):
        if one.get("type") != "custom" or one.get("engine") != "mesh":
            continue
        place = (*where, "quality", index, "implementation")
        text = one.get("implementation")
        name = str(one.get("name") or one.get("id") or f"rule-{index + 1}")
        try:
            if not isinstance(text, str):
                raise ExpressionProblem("a rule that is not text", "write one SQL expression")
            judged = canonical_expression(text, columns)
        except ExpressionProblem as problem:
            yield place, RuleProblem(where=place, problem=problem.problem, remedy=problem.remedy)
            continue
        reason = f"does not hold: {one.get('description') or text}"
        yield (
            place,
            Rule(
                name=f"{field}.{name}" if field else name,
                field=field,
                expression=judged,
                reason=" ".join(reason.split()),
            ),
        )


def _numbered(value: object) -> list[tuple[int, Mapping[str, object]]]:
    """Return the mappings of a list, each with its place there."""
    values = enumerate(value) if isinstance(value, list) else ()
    return [(index, one) for index, one in values if isinstance(one, Mapping)]
