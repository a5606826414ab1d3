"""A tombstone on an event topic is an erasure: the row goes, and all that came from it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mesh.contract.types import duckdb_columns
from mesh.product.duck import quoted
from mesh.product.intake import Arrival
from mesh.product.kept import has_origins, origins_of, places_of
from mesh.product.outbox import Publisher
from mesh.product.plan import Input, Output
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["erase"]


def erase(
    storage: Storage, arrival: Arrival, outputs: Sequence[tuple[Output, Publisher]]
) -> tuple[pa.Table, list[pa.Table]]:
    """Delete what *arrival*'s tombstones name, in the open transaction.

    Returns the input's rows as they were, and the tombstones of what was made of them.

    Only rows from before a tombstone go: the same key may have come again after it. The
    messages carry their `_cause` along, since they belong between those of the rows.
    """
    connection = storage.connection
    connection.register("_tombstones", tombstones(arrival))
    has_dropped = has_origins(arrival.source, outputs)
    found = erased_rows(arrival.source, has_dropped=has_dropped)
    connection.execute(f"create or replace temp table _erased as {found}")
    connection.unregister("_tombstones")
    table = f'"input".{quoted(arrival.source.name)}'
    fields = ", ".join(f"i.{quoted(each.name)}" for each in arrival.source.kept.fields)
    images = connection.sql(
        f"select {fields} from {table} i semi join _erased using (_partition, _offset)"
        f" where {is_of(arrival.source)}"
    ).to_arrow_table()
    delete_from(storage, table, is_of(arrival.source))
    messages = []
    for output, publisher in outputs:
        table = f"main.{quoted(output.contract.name)}"
        keys = ", ".join(f"o.{quoted(each.name)}" for each in output.contract.key_fields)
        gone = connection.sql(
            f"select {keys}, e.{CAUSE} from {table} o join _erased e on o._offset = e._offset"
            f" and o._partition = e._partition + {output.shift} order by e.{CAUSE}, {keys}"
        ).to_arrow_table()
        tombs = publisher.tombstones(gone, arrival.causes)
        messages.append(tombs.append_column(CAUSE, gone[CAUSE]))
        delete_from(storage, table, shift=output.shift)
    if has_dropped:
        delete_from(storage, origins_of(arrival.source))
    connection.execute("drop table temp._erased")
    return images, messages


def tombstones(arrival: Arrival) -> pa.Table:
    """The tombstones with where they stand."""
    causes = pa.array([each.cause for each in arrival.deletions], pa.int64())
    origin = arrival.causes.take(causes)
    return pa.table(
        {
            "key": pa.array([each.key.decode() for each in arrival.deletions], pa.string()),
            "_partition": origin["partition"],
            "_offset": origin["offset"],
            CAUSE: causes,
        }
    )


def erased_rows(source: Input, *, has_dropped: bool) -> str:
    """SQL: origin and cause of the input rows that the tombstones delete, dropped ones too."""
    types = dict(duckdb_columns(source.contract))
    names = [each.name for each in source.contract.key_fields]
    # A key is text in a canonical form per type, which DuckDB's casts read back.
    # A key that is no such text names no row.
    texts = ["t.key"] if len(names) == 1 else [f"try(t.key ->> {i})" for i in range(len(names))]
    same = " and ".join(
        f"i.{quoted(name)} = try_cast({text} as {types[name]})"
        for name, text in zip(names, texts, strict=True)
    )
    places = places_of(source) if has_dropped else f'"input".{quoted(source.name)}'
    return (
        f"select i._partition, i._offset, min(t.{CAUSE}) as {CAUSE}"
        f" from {places} i join _tombstones t"
        f" on {same} and i._partition = t._partition and i._offset < t._offset"
        f" and {is_of(source)}"
        " group by all"
    )


def is_of(source: Input) -> str:
    """SQL: which rows of an input's table are its own; a family's members share one."""
    return "true" if source.member is None else f"topic = '{source.contract.topic}'"


def delete_from(storage: Storage, table: str, which: str = "true", *, shift: int = 0) -> None:
    """Delete the rows of *table* that came from an erased one."""
    storage.connection.execute(
        f"delete from {table} where {which} and (_partition, _offset) in"
        f" (select (_partition + {shift}, _offset) from _erased)"
    )
