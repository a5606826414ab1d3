"""A state port brought up by 1,000 changed calls, against its whole query.

    python -m bench.state [--rounds N] [--size N]

A profile of each contract over a join of calls, links (who had which number) and contracts, in a
DuckDB file as a product keeps it. The comparison of the rows is in our time and not in the query's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.measure import alternate, median, report
from mesh.contract.model import Contract, Field, PortKind
from mesh.contract.types import FieldType, arrow_schema, duckdb_columns
from mesh.product.duck import connect
from mesh.product.state_port import StatePort
from mesh.product.state_query import StateQuery
from mesh.product.storage_memory import note_of

__all__ = ["main"]

TEXT, LONG = FieldType(kind="string"), FieldType(kind="int64")
CHANGES, MEMORY_MB = 1_000, 128
SQL = """
select
    c.contract, c.kind, count(k.call) as calls, coalesce(sum(k.seconds), 0)::bigint as seconds
from contracts c
left join links l on l.contract = c.contract
left join calls k on k.phone = l.phone
group by c.contract, c.kind
"""
KEYS = """
select contract from changed_contracts
union all select contract from changed_links
union all select l.contract from changed_calls k join links l on l.phone = k.phone
"""
# One number a link, one contract a link, in an order that says nothing.
FILL = """
insert into "input".contracts select 'c' || hash(i)::varchar, 'mobile', 0, i
    from range({keys}) t(i);
insert into "input".links select i, 'p' || hash(i)::varchar, 'c' || hash(i)::varchar, 0, i
    from range({keys}) t(i);
insert into "input".calls
    select i, 'p' || hash(hash(i) % {keys})::varchar, i % 600, 0, i from range({calls}) t(i)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=200_000, help="links and contracts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        report("state", measure(Path(folder), options.size, options.rounds))


def measure(folder: Path, size: int, rounds: int) -> dict[str, object]:
    """Milliseconds of both, and the share of ours."""
    connection, port = opened(folder / "profile.duckdb", size, 5 * size)
    for _ in port.recompute():
        pass
    number = 5 * size

    def ours() -> float:
        nonlocal number
        changed, number = some_calls(number, size), number + CHANGES
        began = time.perf_counter()
        connection.execute("begin")
        connection.register("_rows", changed)
        connection.execute('insert into "input".calls by name select *, 0 as _partition from _rows')
        connection.unregister("_rows")
        change = port.change(NOTHING | {"calls": changed})
        connection.execute("commit")
        seconds = time.perf_counter() - began
        assert 0 < change.rows.num_rows <= CHANGES  # noqa: S101 - or it did nothing
        return seconds

    def whole() -> float:
        began = time.perf_counter()
        connection.sql(SQL).to_arrow_table()
        return time.perf_counter() - began

    found = alternate({"1,000 changes": ours, "whole query": whole}, rounds)
    shares = [a / b for a, b in zip(*found.values(), strict=True)]
    return {
        "milliseconds": {name: round(1000 * median(each)) for name, each in found.items()},
        "share": round(median(shares), 2),
        "calls": 5 * size,
        "links and contracts": size,
        "rounds": rounds,
    }


def opened(path: Path, keys: int, calls: int) -> tuple[duckdb.DuckDBPyConnection, StatePort]:
    """A storage with *keys* links and contracts and *calls* calls, and the port over it."""
    # A product has as much once it was without: its storage is opened anew with twice.
    note_of(path).write_text(f"{MEMORY_MB}\n")
    connection = connect(path)
    for source in SOURCES:
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(source))
        connection.execute(
            f'create table "input".{source.name} ({columns}, _partition int, _offset bigint)'
        )
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(PROFILE))
    connection.execute(f"create table main.profile ({columns})")
    connection.execute(FILL.format(keys=keys, calls=calls))
    query = StateQuery(
        path=path,
        sql=SQL,
        inputs=tuple(each.name for each in SOURCES),
        keys_sql=KEYS,
        key_input="contracts",
    )
    return connection, StatePort(connection, PROFILE, query, lambda rows: (rows, []))


def some_calls(first: int, keys: int) -> pa.Table:
    """New calls of numbers that are known."""
    with duckdb.connect() as connection:
        return connection.sql(
            f"select i as call, 'p' || hash(hash(i) % {keys})::varchar as phone, i % 600 as seconds"
            f" from range({first}, {first + CHANGES}) t(i)"
        ).to_arrow_table()


def contract(name: str, kind: PortKind, /, **fields: FieldType) -> Contract:
    """A contract whose first field is its key."""
    return Contract(
        id=f"p.{name}",
        version="1.0.0",
        name=name,
        domain="d",
        product="p",
        description="",
        topic=f"pub.d.p.{name}.v1",
        kind=kind,
        rules=(),
        partitions=1,
        retention_ms=None,
        purpose=None,
        access="ask",
        path=Path("none"),
        document={},
        fields=tuple(
            Field(name=field, type=type_, is_required=not number, key_position=int(not number))
            for number, (field, type_) in enumerate(fields.items())
        ),
    )


SOURCES = (
    contract("calls", "event", call=LONG, phone=TEXT, seconds=LONG),
    contract("links", "state", link=LONG, phone=TEXT, contract=TEXT),
    contract("contracts", "state", contract=TEXT, kind=TEXT),
)
PROFILE = contract("profile", "state", contract=TEXT, kind=TEXT, calls=LONG, seconds=LONG)
NOTHING = {each.name: arrow_schema(each).empty_table() for each in SOURCES}


if __name__ == "__main__":
    main()
