"""Takes a batch of a state input into its table: the last row a key wins, a tombstone deletes.

    changed = apply_state(connection, source, rows, tombstones)

*changed* has the old and the new image of every row that is now other than before. Event inputs
need no such thing: what is new is what changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from mesh.backbone.keys import keys
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.duck import quoted
from mesh.product.transform import CAUSE

__all__ = ["apply_state", "canonical_keys", "key_casts", "names_no_row", "put_batch"]


def apply_state(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    contract: Contract,
    *,
    rows: pa.Table,
    tombstones: pa.Table,
) -> pa.Table:
    """Bring *table*, a qualified name, up to a batch, in the open transaction.

    *rows* have the table's columns and `_cause`, *tombstones* the text `key` and `_cause`.
    Returns the changed rows' images, with the contract's fields.
    """
    keys = ", ".join(quoted(each.name) for each in contract.key_fields)
    fields = ", ".join(quoted(each) for each, _ in duckdb_columns(contract))
    put_batch(connection, contract, rows=rows, tombstones=tombstones)
    connection.execute(
        f"create or replace temp table _images as"
        f" select {fields} from {table} semi join _last using ({keys})"
    )
    same = " and ".join(f"t.{quoted(f.name)} = k.{quoted(f.name)}" for f in contract.key_fields)
    connection.execute(f"delete from {table} t using _last k where {same}")
    connection.execute(
        f"insert into {table} by name"
        f" select b.* exclude ({CAUSE}) from _batch b semi join _last using ({keys}, {CAUSE})"
    )
    connection.execute(
        f"insert into _images select {fields} from {table} semi join _last using ({keys})"
    )
    return connection.sql("select * from _images").to_arrow_table()


def names_no_row(
    connection: duckdb.DuckDBPyConnection, contract: Contract, texts: Sequence[bytes]
) -> list[int]:
    """The positions of *texts*, UTF-8, that are not the canonical key of any row of *contract*."""
    found = canonical_keys(connection, contract, texts)
    return [number for number, text in enumerate(texts) if found[number] != text]


def canonical_keys(
    connection: duckdb.DuckDBPyConnection, contract: Contract, texts: Sequence[bytes]
) -> list[bytes | None]:
    """The key of *contract* that each of *texts*, UTF-8, means, as it is written; None of none."""
    rows = pa.table({"key": pa.array([each.decode() for each in texts], pa.string())})
    numbered = rows.append_column("position", pa.array(range(len(texts)), pa.int64()))
    is_whole = " and ".join(f"{quoted(each.name)} is not null" for each in contract.key_fields)
    connection.register("_keys", numbered)
    try:
        found = connection.sql(
            f"select * from (select {key_casts(contract)}, t.position as {CAUSE} from _keys t)"
            f" where {is_whole} order by {CAUSE}"
        ).to_arrow_table()
    finally:
        connection.unregister("_keys")
    schema = arrow_schema(contract)
    fields = [schema.field(each.name) for each in contract.key_fields]
    canonical = keys(found.drop_columns([CAUSE]).cast(pa.schema(fields)), contract).to_pylist()
    known = dict(zip(found[CAUSE].to_pylist(), canonical, strict=True))
    return [known.get(number) for number in range(len(texts))]


def put_batch(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    *,
    rows: pa.Table,
    tombstones: pa.Table,
) -> None:
    """Temporary tables: `_batch`, the rows in their types; `_last`, the last cause a key."""
    keys = ", ".join(quoted(each.name) for each in contract.key_fields)
    types = dict(duckdb_columns(contract))
    casts = ", ".join(
        f"cast({quoted(each)} as {types[each]}) as {quoted(each)}" if each in types else each
        for each in rows.column_names
    )
    connection.register("_arrived", rows)
    connection.register("_tombstones", tombstones)
    try:
        connection.execute(f"create or replace temp table _batch as select {casts} from _arrived")
        connection.execute(
            f"create or replace temp table _last as select {keys}, max({CAUSE}) as {CAUSE} from ("
            f" select {keys}, {CAUSE} from _batch union all"
            f" select {key_casts(contract)}, t.{CAUSE} from _tombstones t)"
            f" where {quoted(contract.key_fields[0].name)} is not null group by {keys}"
        )
    finally:
        connection.unregister("_arrived")
        connection.unregister("_tombstones")


def key_casts(contract: Contract) -> str:
    """SQL: the key's fields read from the canonical text `t.key` (`mesh.backbone.keys`).

    A text that is no key gives nulls.
    """
    types = dict(duckdb_columns(contract))
    names = [each.name for each in contract.key_fields]
    texts = ["t.key"] if len(names) == 1 else [f"try(t.key ->> {i})" for i in range(len(names))]
    return ", ".join(
        f"try_cast({text} as {types[name]}) as {quoted(name)}"
        for name, text in zip(names, texts, strict=True)
    )
