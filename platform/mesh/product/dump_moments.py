"""Days and instants in the ways that people write them, also several in one column.

Not here: other kinds of values (`dump_values`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.field_type import FieldType, Kind
from mesh.product.duck import quoted
from mesh.product.dump_sql import Ask, Run, full, is_nothing, literal, matches

__all__ = ["ORDERS", "Guess", "forms_in", "forms_of", "guess_moment", "moment_sql", "order_of"]

DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
        "%b %d, %Y", "%B %d, %Y", "%d. %B %Y")  # fmt: skip
ORDERS = {"day-first": ("%d/%m/%Y", "%d-%m-%Y"), "month-first": ("%m/%d/%Y", "%m-%d-%Y")}
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f",
         " %I:%M %p", " %I:%M:%S %p")  # fmt: skip
COMPACT = ("%Y%m%d", "%Y%m%d %H%M", "%Y%m%d %H%M%S", "%Y%m%dT%H%M%S")
# Eight digits are a day only where a column's name says so, or this many agree.
ENOUGH_DAYS = 20
DAY_WORDS = ("date", "day", "datum", "time", "_at", "_on", "tag")
# What every day or instant has: a year of four digits.
MOMENT = re.compile(r"\d{4}")
FINER = r":\d\d\.\d{6}\d*[1-9]"
# So many shapes of values in a column are looked at, with so many examples of each.
FEW = 200
EXAMPLES = 20
# Microseconds are kept; no place on earth is further than 14 hours from UTC.
ZONED = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?"
    r"\s?(Z|[+-](0\d|1[0-3])(:?[0-5]\d)?|[+-]14(:?00)?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The type of a column of text, the style it is written in, and what else could be meant."""

    type: FieldType
    style: str = ""
    note: str = ""


def forms_of(style: str) -> tuple[str, ...]:
    """Every form of a day, alone or with a time, in one order of day and month."""
    return (*(day + time for day in (*DAYS, *ORDERS[style]) for time in TIMES), *COMPACT)


def forms_in(run: Run, at: str, *, sure: bool = False) -> dict[str, tuple[str, ...]]:
    """The forms that occur in the column *at*, by style; of each shape of value, a few are tried.

    A hundred forms on every value would take most of the time and memory of a dump. Unless it is
    *sure* that the column has moments, one value that cannot be one is enough to leave it.
    """
    text = f"trim({quoted(at)})"
    shape = rf"regexp_replace(regexp_replace({text}, '[0-9]+', '9', 'g'), '[^0-9\W]+', 'a', 'g')"
    found = run(
        f"select unnest(found) from (select list(distinct {text})[:{EXAMPLES}] as found"
        f" from staged where not {is_nothing(text)} group by {shape} limit {FEW})"
    )
    examples = [str(each) for (each,) in found]
    likely = [each for each in examples if MOMENT.search(each) and len(each) >= 8]
    if not sure and likely != examples:
        return {}
    every = list(dict.fromkeys(form for style in ORDERS for form in forms_of(style)))
    tried = ", ".join(f"count(try_strptime(v, {literal(each)}))" for each in every)
    values = ", ".join(f"({literal(each)})" for each in likely) or "('')"
    counts = run(f"select {tried} from (values {values}) t(v)")[0]
    # A month may be named in short or in full, and May is both.
    fit = {each.replace("%B", "%b") for each, n in zip(every, counts, strict=True) if n}
    return {
        style: tuple(each for each in forms_of(style) if each.replace("%B", "%b") in fit)
        or DAYS[:1]
        for style in ORDERS
    }


def order_of(*, day_first: bool) -> str:
    """The order of day and month that a person names."""
    return "day-first" if day_first else "month-first"


def moment_sql(text: str, kind: Kind, forms: Sequence[str], zone: str) -> str:
    """SQL for a day or an instant; without a zone in the text, that of *zone*."""
    listed = ", ".join(literal(each) for each in forms)
    # DuckDB reads some words, as `infinity` and `epoch`, in every form, and as 1900.
    naive = f"case when {is_moment(text)} then try_strptime({text}, [{listed}]) end"
    if kind == "date":
        return f"case when {naive} = date_trunc('day', {naive}) then cast({naive} as date) end"
    return (
        f"case when {full(text, ZONED)} then try_cast({text} as timestamptz)"
        f" else timezone({literal(zone)}, {naive}) end"
    )


def is_moment(text: str) -> str:
    """SQL that asks whether a text has a year, and no more of a second than is kept."""
    return f"{matches(text, MOMENT.pattern)} and not {matches(text, FINER)}"


def guess_moment(
    ask: Ask, text: str, name: str, moments: Mapping[str, str], *, day_first: bool | None
) -> Guess | None:
    """A column of days or instants, by the SQL of each order; None where it is neither."""
    count, compact = ask(f"count(*), count(*) filter ({full(text, '[0-9]{8}')})")
    hinted = any(word in f"_{name}" for word in DAY_WORDS)
    if compact == count and not (hinted or int(str(count)) >= ENOUGH_DAYS):
        return None
    one, other = moments["day-first"], moments["month-first"]
    first, second, differ, years, timed = ask(
        f"count({one}), count({other}), count(*) filter ({one} <> {other}),"
        f" count(*) filter (year(coalesce({one}, {other})) between 1900 and 2100),"
        f" count(*) filter (regexp_matches({text}, '[0-9]:[0-9]|^[0-9]{{8}}[T ][0-9]'))"
    )
    if count not in (first, second) or (compact and years != count):
        return None
    if first == second and differ and day_first is None:
        note = "its dates can be read day first or month first (--day-first, --month-first): text"
        return Guess(type=FieldType(kind="string"), note=note)
    if first == second:
        style = "" if day_first is None else order_of(day_first=day_first)
    else:
        style = "day-first" if first == count else "month-first"
    return Guess(type=FieldType(kind="timestamp" if timed else "date"), style=style)
