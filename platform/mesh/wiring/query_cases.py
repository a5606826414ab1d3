"""The cases of a product that is made of a query: made-up rows, and what the query says of them.

So they hold what it says today, and a person has to look whether that is meant. Not here: the
values (`mesh.product.new_values`), running them (`mesh.product.cases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from mesh.contract.identifiers import Identifier
from mesh.contract.model import Field
from mesh.product.cases import run_state, texts, typed
from mesh.product.duck import connect_memory
from mesh.product.masked import TEST_KEY, with_masks
from mesh.product.new_cases import as_cases
from mesh.product.new_shape import Source
from mesh.product.new_values import value_of
from mesh.product.plan import StateOutput

__all__ = ["cases_yaml"]

Row = Mapping[str, object]
HEAD = """\
# Made up by `mesh query publish`; what is expected is what the query said of these rows.
# Look whether it is what you mean. Then add what you know of the data: late, double, missing, odd.
"""
# Of each input: whole rows, and one without what may be missing.
NUMBERS = (1, 2, 3)
BARE = 2


def cases_yaml(
    output: StateOutput, sources: Sequence[Source], identifiers: Mapping[str, Identifier]
) -> str:
    """The file of cases of *output*, as text."""
    given = {
        each.table: [row_of(each, number, identifiers) for number in NUMBERS] for each in sources
    }
    nothing: dict[str, list[Row]] = {name: [] for name in given}
    cases = [
        {"name": name, "given": rows, "expect": expected}
        for name, rows in (("of no rows", nothing), ("of a few rows, one of them bare", given))
        if (expected := said(output, rows, sources)) is not None
    ]
    return HEAD + as_cases(cases)


def row_of(source: Source, number: int, identifiers: Mapping[str, Identifier]) -> Row:
    """The row *number* of an input."""
    contract = source.contract
    return {
        each.name: value_of(contract, each, number, identifiers)
        for each in contract.fields
        if each.is_required or number != BARE
    }


def said(
    output: StateOutput, given: Mapping[str, Sequence[Row]], sources: Sequence[Source]
) -> list[Row] | None:
    """The rows of the query, without lists and records; None where it fails on what is given."""
    contracts = {each.table: each.contract for each in sources}
    fields = {each.name: each for each in output.contract.fields if not each.type.is_nested}
    with connect_memory() as connection:
        with_masks(TEST_KEY, connection)
        try:
            tables = {
                name: typed(connection, given[name], each) for name, each in contracts.items()
            }
            found = texts(connection, run_state(connection, output, tables, contracts), [*fields])
        except duckdb.Error:
            return None
    return [{name: as_plain(fields[name], each) for name, each in row.items()} for row in found]


def as_plain(field: Field, text: object) -> object:
    """A value as a person writes it in YAML."""
    is_whole = field.type.kind in ("int32", "int64") and isinstance(text, str)
    return int(str(text)) if is_whole else text
