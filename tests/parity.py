"""The rows of one port read in several ways, and which ways do not say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mesh.contract.model import Contract
from mesh.ports.pages import row_schema
from mesh.ports.values import json_rows, json_value
from tests.shipped import plain

__all__ = ["differing", "rows_of_table", "rows_of_values"]

# Values as the JSON of REST has them, in the order of the contract's fields.
Rows = Sequence[Sequence[Any]]


def differing(ways: Mapping[str, Rows]) -> dict[str, list[str]]:
    """Of each way that does not say what the first says, a few rows that one of both has."""
    first, *others = ways
    truth = counted(ways[first])
    found = {}
    for name in others:
        rows = counted(ways[name])
        if rows != truth:
            found[name] = [
                f"{sign} {row}"
                for sign, some in (("not there:", truth - rows), ("only there:", rows - truth))
                for row in list(some)[:3]
            ]
    return found


def counted(rows: Rows) -> Counter[str]:
    """How often each row is there. As text, so that 1 is no 1.0, and -0.0 no 0.0."""
    return Counter(repr(list(row)) for row in rows)


def rows_of_table(contract: Contract, table: pa.Table) -> Rows:
    """Rows that came as Arrow or Parquet, which must have the very types of the contract."""
    names = [each.name for each in contract.fields]
    chosen = table.select(names)
    assert chosen.schema.types == row_schema(contract, names).types, chosen.schema
    return json_rows(chosen)


def rows_of_values(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Rows that came as values of Python."""
    return [[json_value(plain(row[each.name])) for each in contract.fields] for row in rows]
