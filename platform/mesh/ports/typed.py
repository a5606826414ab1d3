"""Text from outside as a value of a contract's field, to be bound in SQL, and back.

    value_of("2026-01-31", FieldType(kind="timestamp"))   # '2026-01-31 00:00:00+00:00'

Not here: values of rows as JSON (`values`), what is compared with them (`filters`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from mesh.contract.field_type import FieldType, Kind
from mesh.contract.names import shown
from mesh.contract.types import duckdb_type
from mesh.errors import WrongUse
from mesh.ports.values import json_value

__all__ = ["Scalar", "placeholder", "text_of", "value_of"]

Scalar = str | int | float | bool

LARGEST_FLOAT = 3.4028234663852886e38

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BOOLEAN = re.compile("true|false")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_REAL = re.compile(r"-?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?(?:[eE][+-]?[0-9]{1,4})?|Infinity)|NaN")
_DECIMAL = re.compile(r"(-?)0*([0-9]{1,38})(?:\.([0-9]{1,38}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# In a query, a `+` that nobody escaped arrives as a space.
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(Z|[-+ ][0-9]{2}:[0-9]{2})?)?"
)


def placeholder(type_: FieldType) -> str:
    """The SQL of one bound value of this type."""
    return f"cast(? as {duckdb_type(type_)})"


def value_of(text: str, type_: FieldType) -> Scalar:
    """*text* as a value to bind. Raises `WrongUse` where the type does not hold it."""
    reader = _READERS.get(type_.kind)
    if reader is None:
        raise WrongUse(f"a {type_.kind} cannot be compared")
    try:
        return reader(text, type_)
    except ValueError as error:
        raise WrongUse(f"{shown(text)} is not {_examples(type_)}") from error


def text_of(value: object) -> str:
    """A value of a row as the text that `value_of` reads."""
    found = json_value(value)
    return str(found).lower() if isinstance(found, bool) else str(found)


def _examples(type_: FieldType) -> str:
    if type_.kind == "decimal":
        return f"a decimal({type_.precision},{type_.scale}), as 12.50"
    return _EXAMPLES[type_.kind]


def _uuid(text: str, _: FieldType) -> Scalar:
    return _matched(_UUID, text.lower())[0]


def _integer(text: str, type_: FieldType) -> Scalar:
    value = int(_matched(_WHOLE, text)[0])
    bits = 31 if type_.kind == "int32" else 63
    if not -(2**bits) <= value < 2**bits:
        raise ValueError(text)
    return value


def _float(text: str, type_: FieldType) -> Scalar:
    value = float(_matched(_REAL, text)[0])
    # DuckDB refuses to cast what a FLOAT cannot hold.
    if type_.kind == "float32" and math.isfinite(value) and abs(value) > LARGEST_FLOAT:
        raise ValueError(text)
    return value


def _decimal(text: str, type_: FieldType) -> Scalar:
    sign, whole, places = _matched(_DECIMAL, text).groups()
    places = (places or "").rstrip("0")
    if len(whole.lstrip("0")) > type_.precision - type_.scale or len(places) > type_.scale:
        raise ValueError(text)
    return f"{sign}{whole}.{places or '0'}"


def _boolean(text: str, _: FieldType) -> Scalar:
    return _matched(_BOOLEAN, text)[0] == "true"


def _date(text: str, _: FieldType) -> Scalar:
    return date.fromisoformat(_matched(_DATE, text)[0]).isoformat()


def _timestamp(text: str, _: FieldType) -> Scalar:
    """An instant; without a zone it is UTC, without a time it is midnight."""
    day, time, zone = _matched(_INSTANT, text).groups()
    zone = (zone or "Z").replace(" ", "+")
    moment = datetime.fromisoformat(f"{day}T{time or '00:00'}{zone}")
    try:
        return moment.astimezone(UTC).isoformat(sep=" ")
    except OverflowError as error:
        raise ValueError(text) from error


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found


_READERS: dict[Kind, Callable[[str, FieldType], Scalar]] = {
    "string": lambda text, _: text,
    "uuid": _uuid,
    "int32": _integer,
    "int64": _integer,
    "float32": _float,
    "float64": _float,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
_EXAMPLES: dict[Kind, str] = {
    "uuid": "a uuid of 36 characters",
    "int32": "a whole number of 32 bits",
    "int64": "a whole number of 64 bits",
    "float32": "a number",
    "float64": "a number",
    "boolean": "true or false",
    "date": "a date, as 2026-01-31",
    "timestamp": "an instant, as 2026-01-31T12:00:00Z",
}
