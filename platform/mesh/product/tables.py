"""Brings the tables of an internal storage to what the contracts say now.

A new port gets a table, a port that is gone loses its own, and an optional field that was added
or removed is a column added or dropped. What would make the rows of two topics one table, or
change the meaning of a column, is refused: that is a new major version, a port of its own.

Works at the start, the ports' tables in one transaction. Not here: what the tables hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.product.bookkeeping import BOOKKEEPING, LATER, OUTBOX_TABLE
from mesh.product.duck import (
    columns_of,
    connect,
    leave_as_written,
    quoted,
    storage_error,
    table_exists,
    transaction,
)

__all__ = ["connect_tables", "settle"]

# Later than the rest of the bookkeeping: a storage of before has none, and is believed.
TABLES = """
create table if not exists mesh.tables (
    "schema" varchar, "table" varchar, topic varchar, port varchar
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A table that the storage has: of which topic, by which contract."""

    schema: str
    name: str
    topic: str
    port: str


def connect_tables(
    path: Path, tables: Sequence[tuple[str, str, Contract]]
) -> duckdb.DuckDBPyConnection:
    """Open or make the file, with the bookkeeping and *tables*. Raises as `Storage.open` does."""
    connection = connect(path)
    try:
        if not table_exists(connection, "mesh", "state"):
            with transaction(connection):
                connection.execute(BOOKKEEPING)
                connection.execute(OUTBOX_TABLE)
        connection.execute(LATER)
        settle(connection, tables)
        # Nothing of a changed table may wait in the log: replaying it has had faults.
        connection.execute("checkpoint")
        if all(contract.kind == "event" for _, _, contract in tables):
            leave_as_written(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, duckdb.Error):
            raise storage_error(path, error) from error
        raise
    return connection


def settle(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[tuple[str, str, Contract]]
) -> None:
    """Make *tables*, (schema, name, contract) of each port, the tables that there are.

    Raises `StorageError` where a table was another topic's, or a column another type's.
    """
    with transaction(connection):
        connection.execute(TABLES)
        rows = connection.execute('select "schema", "table", topic, port from mesh.tables')
        known = {
            (schema, name): Kept(schema=schema, name=name, topic=topic, port=port)
            for schema, name, topic, port in rows.fetchall()
        }
        wanted = {(schema, name): contract for schema, name, contract in tables}
        for place, contract in wanted.items():
            kept = known.get(place) or renamed(connection, place, contract, known, wanted)
            if kept is not None and kept.topic != contract.topic:
                raise StorageError(moved(kept, contract))
            settle_table(connection, place, contract)
        for place, kept in known.items():
            if place not in wanted:
                drop(connection, kept)
        connection.execute("delete from mesh.tables")
        for (schema, name), contract in wanted.items():
            values = [schema, name, contract.topic, contract.id]
            connection.execute("insert into mesh.tables values (?, ?, ?, ?)", values)


def renamed(
    connection: duckdb.DuckDBPyConnection,
    place: tuple[str, str],
    contract: Contract,
    known: dict[tuple[str, str], Kept],
    wanted: Mapping[tuple[str, str], Contract],
) -> Kept | None:
    """Keep the rows of a port that only has another name now: its topic is not read again."""
    for old, kept in known.items():
        if old[0] == place[0] and old not in wanted and kept.topic == contract.topic:
            table = f"{quoted(kept.schema)}.{quoted(kept.name)}"
            connection.execute(f"alter table {table} rename to {quoted(place[1])}")
            if old[0] == "input" and table_exists(connection, "origins", old[1]):
                origins = f"origins.{quoted(old[1])}"
                connection.execute(f"alter table {origins} rename to {quoted(place[1])}")
            del known[old]
            return kept
    return None


def moved(kept: Kept, contract: Contract) -> str:
    """Why a table cannot hold the rows of another topic, and what to do."""
    more = '(docs/contracts.md, "Changing a contract")'
    if kept.schema == "input":
        return (
            f"the input port {kept.name} has read {kept.topic}, and {contract.topic} is another "
            f"topic: give the port another name, so that it reads {contract.id} from its "
            f"beginning {more}"
        )
    return (
        f"{kept.port} has written {kept.topic}, and its contract says {contract.topic} now: a new "
        f"major version is a port beside the old one, {contract.id}.v{contract.major} {more}"
    )


def settle_table(
    connection: duckdb.DuckDBPyConnection, place: tuple[str, str], contract: Contract
) -> None:
    """Make one port's table, or give it the columns that its contract has now."""
    table = ".".join(map(quoted, place))
    wanted = columns_of(place[0], contract)
    if not table_exists(connection, *place):
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in wanted)
        connection.execute(f"create table {table} ({columns})")
        return
    described = "select column_name, column_type from (describe {})"
    found = dict(connection.execute(described.format(table)).fetchall())
    casts = ", ".join(f"cast(null as {type_}) as {quoted(name)}" for name, type_ in wanted)
    # As DuckDB itself writes the types that the contract asks for.
    asked = dict(connection.execute(described.format(f"select {casts}")).fetchall())
    for name, type_ in wanted:
        if name not in found:
            connection.execute(f"alter table {table} add column {quoted(name)} {type_}")
        elif found[name] != asked[name]:
            raise StorageError(
                f"the storage holds {name} of {contract.id} as {found[name]}, and the contract "
                f"says {asked[name]}: another type is a new major version of the port"
            )
    for name in sorted(set(found) - set(asked)):
        connection.execute(f"alter table {table} drop column {quoted(name)}")


def drop(connection: duckdb.DuckDBPyConnection, kept: Kept) -> None:
    """Forget a port that is gone: nobody would erase from its table what is erased elsewhere.

    Its topic is forgotten too, so that it is read from its beginning, should it come back.
    """
    connection.execute(f"drop table if exists {quoted(kept.schema)}.{quoted(kept.name)}")
    connection.execute("delete from mesh.topics where topic = ?", [kept.topic])
    if kept.schema == "main":
        # Nobody may write there any more, so it would wait for ever.
        connection.execute("delete from mesh.outbox where topic = ?", [kept.topic])
        connection.execute("delete from mesh.state_ports where port = ?", [kept.port])
        return
    if table_exists(connection, "origins", kept.name):
        connection.execute(f"drop table origins.{quoted(kept.name)}")
    offsets = json.loads(connection.execute("select offsets from mesh.state").fetchall()[0][0])
    offsets.pop(kept.topic, None)
    connection.execute("update mesh.state set offsets = ?", [json.dumps(offsets)])
