"""How each field of a contract is read from the columns of a staged file, as SQL.

Not here: what becomes of the rows (`delivery`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.contract.model import Contract, Field
from mesh.contract.names import listed
from mesh.contract.types import duckdb_type
from mesh.errors import WrongUse
from mesh.product.duck import quoted
from mesh.product.dump_guess import ROW_NUMBER
from mesh.product.dump_source import Column, Source
from mesh.product.dump_sql import is_nothing, literal
from mesh.product.dump_styles import Reading

__all__ = ["Value", "matched", "value_of"]

PLAIN = "a batch port made of a file holds plain values: remove it, or make it text"


def matched(source: Source, contract: Contract) -> dict[str, Column]:
    """The file's column of each field. Raises `WrongUse` where one is missing or too many."""
    columns = {each.name: each for each in source.columns}
    names = [each.name for each in contract.fields]
    if nested := [each.name for each in contract.fields if each.type.is_nested]:
        raise WrongUse(f"{contract.path}: {listed(nested)}: {PLAIN}")
    if missing := [each for each in names if each not in columns and each != ROW_NUMBER]:
        raise WrongUse(
            f"{source.path} has no column {listed(missing)}, which {contract.id} promises: "
            f"its columns are {listed(columns)}"
        )
    if unknown := [each for each in columns if each not in names]:
        raise WrongUse(
            f"{source.path} has a column {listed(unknown)} that {contract.id} does not know: add"
            f" it to {contract.path}, or leave it out with --leave-out {unknown[0]}"
        )
    return {name: columns[name] for name in names if name in columns}


@dataclass(frozen=True, slots=True)
class Value:
    """SQL for a field's value, for whether that is none of its type, and for what it was.

    *misfit* speaks of the value by the field's name.
    """

    sql: str
    misfit: str
    raw: str


def value_of(column: Column, wanted: Field, reading: Reading | None, zone: str) -> Value:
    """How a field is read from its column, of which *reading* is that of text."""
    at, kind, name = quoted(column.at), wanted.type.kind, quoted(wanted.name)
    if reading is not None:
        misfit = "false" if kind == "string" else f"{name} is null and not {is_nothing(at)}"
        return Value(reading.sql, misfit, at)
    sql = text_of(column) if kind == "string" else f"try_cast({at} as {duckdb_type(wanted.type)})"
    if kind == "timestamp" and "TIME ZONE" not in column.sql_type:
        sql = f"timezone({literal(zone)}, try_cast({at} as timestamp))"
    misfit = f"{name} is null and {at} is not null"
    if kind in ("int32", "int64", "decimal") and "INT" not in column.sql_type:
        misfit += f" or {name} <> {at}"  # a cast that rounds is no reading
    return Value(sql, misfit, f"cast({at} as varchar)")


def text_of(column: Column) -> str:
    """SQL for a Parquet value as text; what is nested as JSON."""
    at = quoted(column.at)
    if column.sql_type.endswith("]") or column.sql_type.startswith(("STRUCT(", "MAP(")):
        return f"cast(to_json({at}) as varchar)"
    return f"cast({at} as varchar)"
