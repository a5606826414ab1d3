"""What text in a column means: numbers, dates and instants in the ways that people write them.

A column gets a type only where every value fits it; what can be read in two ways stays text.
Each type has styles (a comma for decimals, the day before the month); the style that a column was
first read in is remembered with its delivery. Not here: keys and identifiers (`dump_guess`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.field_type import FieldType, Kind
from mesh.product.duck import quoted

__all__ = ["Guess", "best_style", "guess_type", "is_nothing", "literal", "value_sql"]

# What stands for "no value" in columns that are not text, and in none that is.
NOTHING = r"(NULL|null|#?NA|#?N/A|n/a|\\N|None|none|NaN|nan|--?)?"
Ask = Callable[[str], tuple[object, ...]]
Run = Callable[[str], Sequence[tuple[object, ...]]]
# So many shapes of values in a column are looked at, with so many examples of each.
FEW = 200
EXAMPLES = 20

PLAIN = r"-?\d+(\.\d+)?"
COMMA = r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
ENGLISH = r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?"
NUMBERS = {"plain": PLAIN, "comma": COMMA, "english": ENGLISH}
FLOAT = r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
WHOLE = r"-?(0|[1-9]\d{0,18})"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
ZONED = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)"

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
MAX_SCALE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The type of a column of text, the style it is written in, and what else could be meant."""

    type: FieldType
    style: str = ""
    note: str = ""


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
    clean = number_text(text, style)
    fits = full(text, NUMBERS[style])
    if type_.kind in ("float32", "float64"):
        fits = f"({fits} or {full(text, FLOAT)})" if style == "plain" else fits
        return f"case when {fits} then try_cast({clean} as double) end"
    scale = type_.scale if type_.kind == "decimal" else 0
    places = rf"-?\d+(\.\d{{1,{scale}}}0*|\.0+)?" if scale else r"-?\d+(\.0+)?"
    sql_type = f"decimal({type_.precision},{scale})" if type_.kind == "decimal" else "bigint"
    return f"case when {fits} and {full(clean, places)} then try_cast({clean} as {sql_type}) end"


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
    if not sure and not all(MOMENT.search(each) and len(each) >= 8 for each in examples):
        return {}
    every = list(dict.fromkeys(form for style in ORDERS for form in forms_of(style)))
    tried = ", ".join(f"count(try_strptime(v, {literal(each)}))" for each in every)
    values = ", ".join(f"({literal(each)})" for each in examples) or "('')"
    counts = run(f"select {tried} from (values {values}) t(v)")[0]
    # A month may be named in short or in full, and May is both.
    fit = {each.replace("%B", "%b") for each, n in zip(every, counts, strict=True) if n}
    return {
        style: tuple(each for each in forms_of(style) if each.replace("%B", "%b") in fit)
        or DAYS[:1]
        for style in ORDERS
    }


def moment_sql(text: str, kind: Kind, forms: Sequence[str], zone: str) -> str:
    """SQL for a day or an instant; without a zone in the text, that of *zone*."""
    listed = ", ".join(literal(each) for each in forms)
    naive = f"try_strptime({text}, [{listed}])"
    if kind == "date":
        return f"case when {naive} = date_trunc('day', {naive}) then cast({naive} as date) end"
    return (
        f"case when {full(text, ZONED)} then try_cast({text} as timestamptz)"
        f" else timezone({literal(zone)}, {naive}) end"
    )


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
        return Guess(type=FieldType(kind="float64"), style=style)
    precision = 18 if before + places <= 16 else 38
    if before + places > precision:
        return Guess(type=FieldType(kind="string"), note="its numbers are longer than 38 digits")
    return Guess(type=FieldType(kind="decimal", precision=precision, scale=places), style=style)


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
        style = "month-first" if day_first is False else "day-first"
    else:
        style = "day-first" if first == count else "month-first"
    return Guess(type=FieldType(kind="timestamp" if timed else "date"), style=style)


def number_text(text: str, style: str) -> str:
    """SQL for a number's text with a point for decimals and nothing for thousands."""
    if style == "comma":
        return f"replace(replace({text}, '.', ''), ',', '.')"
    return f"replace({text}, ',', '')" if style == "english" else text


def full(text: str, pattern: str) -> str:
    """SQL that asks whether all of *text* matches."""
    return f"coalesce(regexp_full_match({text}, {literal(pattern)}), false)"


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def is_nothing(column: str) -> str:
    """SQL that asks whether a value of a column that is not text stands for none.

    As an expression, since DuckDB makes a join of each long `in`, and there may be hundreds.
    """
    return f"({column} is null or {full(f'trim({column})', NOTHING)})"


def best_style(
    run: Run, at: str, type_: FieldType, remembered: str | None, zone: str
) -> tuple[str, tuple[str, ...]]:
    """The style, and the forms of days, in which most values of *at* are of the type.

    At a tie it is the style of before.
    """
    ask, column = asking(run, at), quoted(at)
    styles = styles_of(type_.kind)
    if len(styles) == 1:
        return styles[0], ()
    forms: Mapping[str, tuple[str, ...]] = dict.fromkeys(styles, ())
    if type_.kind in ("date", "timestamp"):
        forms = forms_in(run, at, sure=True)
    values = [value_sql(column, type_, each, zone, forms[each]) for each in styles]
    counts = ask(", ".join(f"count({each})" for each in values))
    by_style = {style: int(str(n)) for style, n in zip(styles, counts, strict=True)}
    best = max(by_style, key=lambda style: (by_style[style], style == remembered))
    return best, forms[best]


def asking(run: Run, at: str) -> Ask:
    """Answers aggregates over the values of *at* that stand for something."""
    name = quoted(at)
    return lambda sql: run(f"select {sql} from staged where not {is_nothing(name)}")[0]
