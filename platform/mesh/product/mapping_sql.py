"""Writes the one query that turns a file's text columns into a contract's typed columns.

Each field's expression is null where its text has no such value, and `_reason` then says why, so
nothing is rounded, guessed or cut on the way. Not here: the contract's own rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.literals import quoted_text
from mesh.contract.names import shown
from mesh.contract.types import FieldType, duckdb_type

__all__ = ["RAW", "Source", "TimeProblem", "check_times", "raw_name", "select"]

RAW = "raw_lines"

_WHOLE = "[+-]?[0-9]+"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?"
_SECONDS = r"[+-]?[0-9]{1,9}(\.[0-9]{1,6})?"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_LOCAL = rf"{_DATE}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,9}})?)?"
_OFFSET = "([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a field comes from: *constant*, an SQL literal, or *column* and what is done to it."""

    type: FieldType
    column: str | None = None
    constant: str | None = None
    is_required: bool = False
    formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    plus_seconds: str | None = None
    prefix: str = ""
    pad: int = 0
    codes: Mapping[str, str] | None = None
    empty_is_null: bool = True


class TimeProblem(Exception):
    """A time format or a time zone cannot be used; *remedy* says what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


def check_times(formats: Sequence[str], timezone: str | None) -> None:
    """Ask DuckDB whether it can read times so. Raises `TimeProblem`."""
    import duckdb

    if not formats and timezone is None:
        return
    with_offset = [_has_offset(one) for one in formats]
    if any(with_offset) and (timezone or not all(with_offset)):
        raise TimeProblem(
            "an offset in the format says the time zone already",
            "leave `timezone` out, and give all formats %z or none",
        )
    with duckdb.connect() as connection:
        for one in formats:
            try:
                connection.execute(f"select try_strptime('', {quoted_text(one)})")
            except duckdb.Error as error:
                raise TimeProblem(
                    f"{one} is not a time format", "use strptime codes, as in %Y-%m-%d %H:%M:%S"
                ) from error
        try:
            zone = quoted_text(timezone or "UTC")
            connection.execute(f"select timezone({zone}, timestamp '2000-01-01')")
        except duckdb.Error as error:
            raise TimeProblem(
                f"there is no time zone {timezone}", "write one as in Europe/Amsterdam"
            ) from error


def raw_name(position: int) -> str:
    """Return the name in `RAW` of the file's column that the mapping names in this place."""
    return f"_{position}"


def select(sources: Mapping[str, Source], columns: Sequence[str]) -> str:
    """Return the query over `RAW`: `_line`, `_digest`, the fields of *sources*, and `_reason`."""
    raw = {column: f'"{raw_name(place)}"' for place, column in enumerate(columns)}
    typed = [f'{_value(one, raw)} as "{name}"' for name, one in sources.items()]
    reasons = [_reason(name, one, raw) for name, one in sources.items() if one.column is not None]
    return (
        f'with read_lines as (select *, {", ".join(typed)} from "{RAW}") '
        f"select *, concat_ws('; ', {', '.join(reasons) or 'null'}) as \"_reason\" "
        'from read_lines order by "_line"'
    )


def _value(source: Source, raw: Mapping[str, str]) -> str:
    if source.column is None:
        return f"cast({source.constant} as {duckdb_type(source.type)})"
    text = _text(source, raw)
    if source.type.kind == "string":
        return _written(source, text)
    if source.type.kind == "timestamp":
        return _time(source, _coded(source, text), raw)
    return _typed(source, f"trim({_coded(source, text)})")


def _text(source: Source, raw: Mapping[str, str]) -> str:
    text = raw[source.column or ""]
    return f"nullif({text}, '')" if source.empty_is_null else text


def _coded(source: Source, text: str) -> str:
    """A code that is not in the map has no value."""
    if source.codes is None:
        return text
    whens = " ".join(
        f"when {quoted_text(code)} then {quoted_text(value)}"
        for code, value in source.codes.items()
    )
    return f"case {text} {whens} end" if whens else "cast(null as varchar)"


def _written(source: Source, text: str) -> str:
    text = _coded(source, text)
    if source.pad:
        # At least as long as the text is: lpad cuts what is longer.
        text = f"lpad({text}, greatest({source.pad}, length({text}))::integer, '0')"
    return f"{quoted_text(source.prefix)} || {text}" if source.prefix else text


def _typed(source: Source, text: str) -> str:
    """DuckDB's casts round and guess; a pattern first lets through only what they take exactly."""
    kind, sql_type = source.type.kind, duckdb_type(source.type)
    if kind == "boolean":
        return f"case lower({text}) when 'true' then true when 'false' then false end"
    if kind == "date" and source.formats:
        return f"cast({_parsed(source, text)} as date)"
    if kind == "uuid":
        return f"cast(try_cast({text} as uuid) as varchar)"
    scale = source.type.scale
    pattern = {
        "int32": _WHOLE,
        "int64": _WHOLE,
        "decimal": rf"[+-]?[0-9]+(\.[0-9]{{1,{scale}}})?" if scale else _WHOLE,
        "date": _DATE,
    }.get(kind, _NUMBER)
    cast = f"try_cast({text} as {sql_type})"
    if kind in ("float32", "float64"):
        cast = f"case when isfinite({cast}) then {cast} end"
    return f"case when regexp_full_match({text}, '{pattern}') then {cast} end"


def _time(source: Source, text: str, raw: Mapping[str, str]) -> str:
    text = f"trim({text})"
    if not source.formats:
        at = (
            f"case when regexp_full_match({text}, '{_LOCAL}{_OFFSET}') "
            f"then try_cast({text} as timestamptz) "
            f"when regexp_full_match({text}, '{_LOCAL}') "
            f"then {_local(source, f'try_cast({text} as timestamp)')} end"
        )
    elif _has_offset(source.formats[0]):
        at = _parsed(source, text)
    else:
        at = _local(source, _parsed(source, text))
    if source.plus_seconds is None:
        return at
    seconds = f"trim({raw[source.plus_seconds]})"
    micros = f"cast(try_cast({seconds} as decimal(18, 6)) * 1000000 as bigint)"
    later = f"{at} + to_microseconds({micros})"
    return f"case when regexp_full_match({seconds}, '{_SECONDS}') then {later} end"


def _parsed(source: Source, text: str) -> str:
    formats = ", ".join(quoted_text(one) for one in source.formats)
    return f"try_strptime({text}, [{formats}])"


def _local(source: Source, text: str) -> str:
    """A time on the clock of a zone: null where daylight saving skipped it."""
    zone = quoted_text(source.timezone)
    at = f"timezone({zone}, {text})"
    return f"case when timezone({zone}, {at}) = {text} then {at} end"


def _has_offset(one: str) -> bool:
    return "%z" in one or "%Z" in one


def _reason(name: str, source: Source, raw: Mapping[str, str]) -> str:
    """Return what is wrong with one field of a line, as text, or null.

    Without the value, which the raw line shows: so that equal reasons can be counted.
    """
    text = _text(source, raw)
    given = f"{name}: {' + '.join(shown(one) for one in _columns(source))}"
    wrong = quoted_text(f"{given} is not {_wanted(source)}")
    missing = quoted_text(f"{given} is empty, and the contract requires it")
    problem = f'case when {text} is not null and "{name}" is null then {wrong}'
    if source.is_required:
        problem += f" when {text} is null then {missing}"
    return f"{problem} end"


def _columns(source: Source) -> list[str]:
    return [one for one in (source.column, source.plus_seconds) if one is not None]


def _wanted(source: Source) -> str:
    if source.codes is not None:
        return "among the codes of its map"
    kind = source.type.kind
    if kind in ("timestamp", "date"):
        how = " or ".join(source.formats) or "ISO 8601"
        zone = f" in {source.timezone}" if source.timezone != "UTC" else ""
        plus = " plus seconds" if source.plus_seconds else ""
        return f"a {'time' if kind == 'timestamp' else 'date'} as {how}{zone}{plus}"
    if kind == "decimal":
        return f"a number of {source.type.precision} digits, {source.type.scale} after the point"
    return {
        "uuid": "a UUID",
        "boolean": "true or false",
        "int32": "a whole number",
        "int64": "a whole number",
    }.get(kind, "a number")
