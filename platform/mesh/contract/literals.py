"""Writes values of a contract as SQL literals, and refuses what the field's type cannot hold."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime

from mesh.contract.field_type import FieldType
from mesh.contract.names import shown

__all__ = ["LiteralProblem", "literal", "quoted_text"]


class LiteralProblem(Exception):
    """A value does not fit the field's type; *remedy* says what to write, *where* in a list."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        self.where: tuple[str | int, ...] = ()
        super().__init__(f"{problem} ({remedy})")


def quoted_text(value: object) -> str:
    """Return text as an SQL string literal."""
    if not isinstance(value, str) or "\x00" in value:
        raise LiteralProblem(f"{shown(value)} is not text", "write text, in quotes if need be")
    return "'" + value.replace("'", "''") + "'"


def literal(value: object, type_: FieldType) -> str:
    """Return *value* as an SQL literal of *type_*. Raises `LiteralProblem`."""
    kind = type_.kind
    if kind in ("string",):
        return quoted_text(value)
    if kind == "uuid":
        return f"cast({quoted_text(_uuid(value))} as uuid)"
    if kind == "boolean":
        return _boolean(value)
    if kind in ("date", "timestamp"):
        return _moment(value, kind)
    if kind in ("int32", "int64", "float32", "float64", "decimal"):
        return _number(value, whole=kind.startswith("int"))
    raise LiteralProblem(f"a {kind} has no such rule", "put the rule on what it holds")


def _uuid(value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise LiteralProblem(f"{shown(value)} is not a uuid", "write all 36 characters") from error


def _boolean(value: object) -> str:
    if not isinstance(value, bool):
        raise LiteralProblem(f"{shown(value)} is not a boolean", "write true or false")
    return "true" if value else "false"


def _number(value: object, *, whole: bool) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, (int, float)) or not is_number or not math.isfinite(value):
        raise LiteralProblem(f"{shown(value)} is not a number", "write a number, without quotes")
    if whole and value != int(value):
        raise LiteralProblem(f"{shown(value)} is not a whole number", "write a whole number")
    return str(int(value)) if whole else repr(value)


def _moment(value: object, kind: str) -> str:
    """Return a date or an instant; an instant without a zone is UTC."""
    try:
        if kind == "date":
            return f"date '{date.fromisoformat(str(value)).isoformat()}'"
        moment = datetime.fromisoformat(str(value))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return f"timestamptz '{moment.astimezone(UTC).isoformat(sep=' ')}'"
    except (ValueError, OverflowError) as error:
        example = "2026-01-31" if kind == "date" else "2026-01-31T12:00:00Z"
        raise LiteralProblem(f"{shown(value)} is not a {kind}", f"write it as {example}") from error
