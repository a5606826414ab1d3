"""The SQL of a product that is made of a query: its port's, and a mart's files beside it.

Not here: how names are replaced (`query_text`), the other files (`query_product`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb

from mesh.contract.names import listed
from mesh.contract.types import duckdb_columns
from mesh.errors import WrongUse
from mesh.product.duck import ORIGIN, quoted
from mesh.product.event_lint import base_tables, nodes
from mesh.product.new_shape import Source
from mesh.product.state_query import CHANGED, make_inputs, read_query
from mesh.query.files import NamedQuery
from mesh.sql.shelf import name_of
from mesh.wiring.query_fields import key_of
from mesh.wiring.query_text import renamed, tree_of

__all__ = ["Texts", "texts_of"]

# Of empty tables they would leave nothing to look at.
UNSURE = "statistics_propagation,empty_result_pullup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The SQL of the port, and of the files beside it by the end of their names."""

    sql: str
    beside: Mapping[str, str]
    notes: Sequence[str]


def texts_of(query: NamedQuery, sources: Sequence[Source], key: Sequence[str]) -> Texts:
    """The query with the product's names, and its keys file where that holds for a product."""
    names = {".".join(name_of(each.contract)): each.table for each in sources}
    sql = renamed(query.sql.removesuffix(";"), names)
    check_columns(query, sql, sources)
    old = {"_".join(name_of(each.contract)[1:]): each.table for each in sources}
    names |= {**old, **{CHANGED + was: CHANGED + is_ for was, is_ in old.items()}}
    keys_path = query.path.with_suffix(".keys.sql")
    if not keys_path.exists():
        return Texts(sql=sql, beside={}, notes=["no keys file: each batch asks the whole query"])
    keys = renamed(read_query(keys_path)[0], names)
    read = set(base_tables(tree_of(keys)))
    missed = [each.table for each in sources if CHANGED + each.table not in read]
    if key_of(query, None) != tuple(key) or missed:
        why = f"does not look at {listed(missed)}" if missed else "lists another key"
        note = f"{keys_path.name} {why}: without a keys file each batch asks the whole query"
        return Texts(sql=sql, beside={}, notes=[note])
    beside = {"keys": keys}
    needs_path = query.path.with_suffix(".needs.sql")
    if needs_path.exists():
        beside["needs"] = renamed(read_query(needs_path)[0], names)
    note = f"{keys_path.name} is taken over: here it is asked of rows that go, too"
    return Texts(sql=sql, beside=beside, notes=[note])


def check_columns(query: NamedQuery, sql: str, sources: Sequence[Source]) -> None:
    """Raise `WrongUse` for other columns than the result's, and for what tells rows apart by `*`.

    In a product each row has its place on the topic, which `select distinct *` would see.
    """
    with closing(duckdb.connect()) as connection:
        connection.execute(f"set disabled_optimizers = '{UNSURE}'")
        make_inputs(connection, {each.table: each.contract for each in sources})
        try:
            given = connection.execute(f"from ({sql}\n) limit 0").description or ()
            types = {each[0]: each[1] for each in given}
            for name, wanted in duckdb_columns(query.result):
                is_ = types.get(name)
                if is_ is not None and is_ != connection.type(wanted):
                    raise WrongUse(f"{query.name} gives {name} as {is_}, not {wanted}: cast it")
            columns = ", ".join(quoted(each.name) for each in query.result.fields)
            add_origins(connection, sources)
            plan = connection.execute(f"explain (format json) select {columns} from ({sql}\n) q")
            found = json.loads(plan.fetchall()[0][1])
        except duckdb.Error as error:
            problem = str(error).partition("\n")[0]
            raise WrongUse(f"{query.name} is no product: DuckDB refuses it: {problem}") from error
    for node in nodes(found):
        taken = node.get("Projections")
        if {name for name, _ in ORIGIN} & {*(taken if isinstance(taken, list) else [taken])}:
            raise WrongUse(f"{query.name} tells rows apart by `*`: name the columns")


def add_origins(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
    """Have the tables of *sources* the columns that those of a product have beside their own."""
    for each in sources:
        for name, type_ in ORIGIN:
            connection.execute(f"alter table {quoted(each.table)} add column {name} {type_}")
