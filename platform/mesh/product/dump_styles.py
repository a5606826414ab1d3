"""In which style a delivery's column is read: as before, unless its values show another.

Not here: the styles themselves (`dump_values`, `dump_moments`), what a first delivery's columns
are (`dump_guess`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mesh.contract.field_type import FieldType
from mesh.product.duck import quoted
from mesh.product.dump_moments import forms_in, order_of
from mesh.product.dump_source import Source
from mesh.product.dump_sql import Ask, asking
from mesh.product.dump_values import (
    number_text,
    styles_of,
    value_sql,
    written_as,
)

__all__ = ["Reading", "best_style"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """SQL for the values of a column, and the *style* that is remembered of it.

    Where it *is_unsure*, values that mean something else in another style have none.
    """

    sql: str
    style: str = ""
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A style in SQL: whether a value is written in it, and what it means then."""

    written: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of two styles: pairs of which only the first has a value, and that differ on one."""

    only: frozenset[tuple[str, str]]
    differ: frozenset[tuple[str, str]]

    def is_against(self, style: str, others: Mapping[str, Way]) -> bool:
        """Whether values are written in another style, and none in this one but not that."""
        return any((o, style) in self.only and (style, o) not in self.only for o in others)


def best_style(source: Source, at: str, type_: FieldType, remembered: str) -> Reading:
    """How the column of text *at* is read, that was read in the style *remembered* before."""
    styles, column, zone = styles_of(type_.kind), quoted(at), source.options.time_zone
    if len(styles) == 1:
        return Reading(sql=value_sql(column, type_, "", zone))
    if type_.kind in ("date", "timestamp"):
        forms = forms_in(source.run, at, sure=True)
        values = {each: value_sql(column, type_, each, zone, forms[each]) for each in styles}
        ways = {each: Way(f"({sql} is not null)", sql) for each, sql in values.items()}
        if source.options.day_first is not None:
            style = order_of(day_first=source.options.day_first)
            return Reading(sql=values[style], style=style)
        if len(set(forms.values())) == 1:
            return Reading(sql=values[styles[0]], style=remembered)
    else:
        values = {each: value_sql(column, type_, each, zone) for each in styles}
        text = f"trim({column})"
        ways = {
            each: Way(written_as(text, type_, each), number_text(text, each)) for each in styles
        }
        remembered = remembered or styles[0]
    seen = evidence(asking(source.run, at), ways)
    found = chosen(seen, ways, remembered)
    if found:
        return Reading(sql=values[found], style=found)
    first, *others = values.values()
    alike = " and ".join(f"{first} = {each}" for each in others)
    sql, is_unsure = f"case when {alike} then {first} end", bool(seen.only | seen.differ)
    return Reading(sql=sql, style=remembered, is_unsure=is_unsure)


def chosen(seen: Evidence, ways: Mapping[str, Way], remembered: str) -> str:
    """The style to read in; empty where the values leave it open."""
    if remembered and not seen.is_against(remembered, ways):
        return remembered
    for style in ways:
        pairs = {(style, each) for each in ways if each != style}
        # What was read in one style before would mean something else without a word.
        is_clear = not pairs & seen.differ if remembered else pairs <= seen.only
        if is_clear and not any((each, style) in seen.only for each in ways):
            return style
    return ""


def evidence(ask: Ask, ways: Mapping[str, Way]) -> Evidence:
    """What the values of a column say of each two styles."""
    asked = dict(questions(ways))
    answers = ask(", ".join(f"coalesce(bool_or({sql}), false)" for sql in asked.values()))
    true = [key for key, answer in zip(asked, answers, strict=True) if answer]
    return Evidence(
        frozenset((one, other) for what, one, other in true if what == "only"),
        frozenset((one, other) for what, one, other in true if what == "differ"),
    )


def questions(ways: Mapping[str, Way]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """SQL that asks of a value what it says of two styles."""
    for one, a in ways.items():
        for other, b in ways.items():
            if one != other:
                yield ("only", one, other), f"{a.written} and not {b.written}"
                both = f"{a.written} and {b.written}"
                yield ("differ", one, other), f"{both} and {a.meaning} <> {b.meaning}"
