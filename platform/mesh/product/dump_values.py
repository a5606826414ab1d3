"""What text in a column means: numbers, dates and instants in the ways that people write them.

A column gets a type only where every value fits it; what can be read in two ways stays text.
Each type has styles (a comma for decimals, the day before the month); the style that a column was
first read in is remembered with its delivery. Not here: keys and identifiers (`dump_guess`), the
style of a later delivery (`dump_styles`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mesh.contract.field_type import FieldType, Kind
from mesh.product.duck import quoted
from mesh.product.dump_moments import (
    ORDERS,
    Guess,
    forms_in,
    forms_of,
    guess_moment,
    moment_sql,
)
from mesh.product.dump_sql import Ask, Run, asking, full

__all__ = ["guess_type", "number_text", "styles_of", "value_sql", "written_as"]


PLAIN = r"-?\d+(\.\d+)?"
COMMA = r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
ENGLISH = r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?"
NUMBERS = {"plain": PLAIN, "comma": COMMA, "english": ENGLISH}
FLOAT = r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
WHOLE = r"-?(0|[1-9]\d{0,18})"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

MAX_SCALE = 10


def styles_of(kind: Kind) -> tuple[str, ...]:
    """The ways in which values of a kind may be written, the likeliest first."""
    if kind in ("int32", "int64", "decimal", "float32", "float64"):
        return tuple(NUMBERS)
    if kind in ("date", "timestamp"):
        return tuple(ORDERS)
    return ("",)


def value_sql(
    column: str, type_: FieldType, style: str, zone: str, forms: Sequence[str] = ()
) -> str:
    """SQL for the value of the text *column*, null where it is none of this type and style.

    *forms* are those of days and times that occur in it.
    """
    text = f"trim({column})"
    if type_.kind == "string":
        return column
    if type_.kind == "uuid":
        return f"case when {full(text, UUID)} then lower({text}) end"
    if type_.kind == "boolean":
        lower = f"lower({text})"
        yes, no = full(lower, "true|yes"), full(lower, "false|no")
        return f"case when {yes} then true when {no} then false end"
    if type_.kind in ("date", "timestamp"):
        return moment_sql(text, type_.kind, forms or forms_of(style), zone)
    return number_sql(text, type_, style)


def number_sql(text: str, type_: FieldType, style: str) -> str:
    """SQL for a number, never one that was rounded."""
    clean, fits = number_text(text, style), written_as(text, type_, style)
    if type_.kind in ("float32", "float64"):
        return f"case when {fits} then try_cast({clean} as double) end"
    scale = type_.scale if type_.kind == "decimal" else 0
    places = rf"-?\d+(\.\d{{1,{scale}}}0*|\.0+)?" if scale else r"-?\d+(\.0+)?"
    sql_type = f"decimal({type_.precision},{scale})" if type_.kind == "decimal" else "bigint"
    return f"case when {fits} and {full(clean, places)} then try_cast({clean} as {sql_type}) end"


def written_as(text: str, type_: FieldType, style: str) -> str:
    """SQL that asks whether a text is a number in a style, if of more places than the type's."""
    fits = full(text, NUMBERS[style])
    if style == "plain" and type_.kind in ("float32", "float64"):
        return f"({fits} or {full(text, FLOAT)})"
    return fits


def guess_type(run: Run, at: str, name: str, *, day_first: bool | None, zone: str) -> Guess:
    """The type of the column of text *at*, by all its values that stand for something."""
    ask, column = asking(run, at), quoted(at)
    text = f"trim({column})"
    count = int(str(ask("count(*)")[0]))
    if not count:
        return Guess(type=FieldType(kind="string"), note="it is empty throughout")
    for kind in ("uuid", "boolean"):
        sql = value_sql(column, FieldType(kind=kind), "", zone)
        if ask(f"count({sql})")[0] == count:
            return Guess(type=FieldType(kind=kind))
    moments = {
        style: moment_sql(text, "timestamp", each, zone)
        for style, each in forms_in(run, at).items()
    }
    if moments and (found := guess_moment(ask, text, name, moments, day_first=day_first)):
        return found
    fits = ask(", ".join(f"count(*) filter ({full(text, each)})" for each in NUMBERS.values()))
    styles = [style for style, n in zip(NUMBERS, fits, strict=True) if n == count]
    if "plain" in styles:
        styles = ["plain"]
    if len(styles) == 2:
        note = "its numbers can be read with a comma for decimals, or for thousands: text"
        return Guess(type=FieldType(kind="string"), note=note)
    if styles:
        return guess_number(ask, text, styles[0], count)
    if ask(f"count(*) filter ({full(text, FLOAT)})")[0] == count:
        return Guess(type=FieldType(kind="float64"), style="plain")
    return Guess(type=FieldType(kind="string"))


def guess_number(ask: Ask, text: str, style: str, count: int) -> Guess:
    """Whole, decimal or floating: by the digits of the longest value."""
    clean = number_text(text, style)
    whole, scale, digits = ask(
        f"count(*) filter ({full(clean, WHOLE)} and try_cast({clean} as bigint) is not null),"
        f" max(length(split_part({clean}, '.', 2))),"
        f" max(length(ltrim(split_part({clean}, '.', 1), '-0')))"
    )
    zeros = ask(f"count(*) filter (regexp_matches({clean}, '^-?0[0-9]'))")[0]
    if zeros:
        return Guess(type=FieldType(kind="string"), note="some of its numbers begin with 0")
    if whole == count:
        return Guess(type=FieldType(kind="int64"), style=style)
    places, before = int(str(scale)), int(str(digits))
    if places > MAX_SCALE:
        note = f"a number has {places} places, more than {MAX_SCALE}: a double, which rounds"
        return Guess(type=FieldType(kind="float64"), style=style, note=note)
    precision = 18 if before + places <= 16 else 38
    if before + places > precision:
        return Guess(type=FieldType(kind="string"), note="its numbers are longer than 38 digits")
    return Guess(type=FieldType(kind="decimal", precision=precision, scale=places), style=style)


def number_text(text: str, style: str) -> str:
    """SQL for a number's text with a point for decimals and nothing for thousands."""
    if style == "comma":
        return f"replace(replace({text}, '.', ''), ',', '.')"
    return f"replace({text}, ',', '')" if style == "english" else text
