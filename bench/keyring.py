"""The key ring against stated references: bulk as-of joins, one look-up, and one over HTTP.

    PYTHONPATH=platform:. python bench/keyring.py [--rows 1000000]

Each figure is a ratio; both sides run in turn in the same process, medians of several runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import duckdb
import pyarrow as pa

from mesh.contract.model import Relation
from products.key_ring.bulk import LINKS, as_of
from products.key_ring.chains import Chains
from products.key_ring.resolve import resolve
from products.key_ring.ring import Ring

RUNS = 3
PHONES = Relation(
    name="phone-number-contract",
    from_type="phone-number",
    to_type="contract-number",
    cardinality="many-to-one",
    meaning="bench",
)
HOLDERS = Relation(
    name="contract-holder",
    from_type="contract-number",
    to_type="person-id",
    cardinality="many-to-one",
    meaning="bench",
)
# Five links a number, one after the other; *n* is the link's number.
LINKS_SQL = """
select
    'phone-number-contract' as relation, 's' || n as statement_id, 'l' || n as link_id,
    'phone-number' as from_type, '+1' || (2000000000 + {key}) as from_id,
    'contract-number' as to_type, 'C-' || (100000000 + n) as to_id,
    epoch_ms({slot}::bigint * 86400000)::timestamptz as valid_from,
    case when {slot} < {last} then epoch_ms(({slot} + 1)::bigint * 86400000)::timestamptz end
        as valid_to,
    false as retracted, epoch_ms({slot}::bigint * 86400000)::timestamptz as known_from,
    null::timestamptz as known_to, true as holds, 'contracts' as authority,
    'pub.sales.contracts.phone-number-contract.v1' as topic, 0 as "partition", n as "offset"
from range({rows}) t(n)
"""
CALLS_SQL = """
select
    n, '+1' || (2000000000 + hash(n) % {keys}) as id,
    epoch_ms((hash(n + 7) % {span})::bigint)::timestamptz as "at"
from range({rows}) t(n)
"""
EQUAL = "select a.n, l.to_id as id from asked a join links_now l on l.from_id = a.id"
ASOF = """
select a.n, l.to_id as id from asked a
asof join links_now l on l.from_id = a.id and l.valid_from <= a."at"
where a."at" < l.valid_to
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    bulk("five links a number", rows, per_key=5, keys=rows // 5)
    bulk("one number with 10,000 links", 10_000, per_key=10_000, keys=1, calls=rows // 5)
    lookups(rows // 5)


def bulk(title: str, rows: int, *, per_key: int, keys: int, calls: int | None = None) -> None:
    """As-of joins of calls with links."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    links = LINKS_SQL.format(
        key=f"n // {per_key}", slot=f"n % {per_key}", last=per_key - 1, rows=rows
    )
    connection.execute(f"create table links as {links} order by hash(n)")
    connection.execute(f"create view links_now as {LINKS.format(links='links')}")
    asked = CALLS_SQL.format(keys=keys, span=per_key * 86_400_000, rows=calls or rows)
    connection.execute(f"create table asked as {asked}")
    joins = {
        "equal": lambda: EQUAL,
        "asof": lambda: ASOF,
        "ours": lambda: as_of(connection, "asked", "links_now"),
    }
    if keys == 1:
        del joins["equal"]  # every call with every link: nobody would want that many rows
    assert count(connection, joins["asof"]()) == count(connection, joins["ours"]())  # noqa: S101
    took = alternated(
        {name: lambda sql=sql: count(connection, sql()) for name, sql in joins.items()}  # type: ignore[misc]  # bound early
    )
    say(f"{title}: {(calls or rows) / took['ours']:,.0f} rows/s")
    say(f"  against ASOF JOIN        {took['asof'] / took['ours']:.2f}")
    if "equal" in took:
        say(f"  against an equi-join     {took['equal'] / took['ours']:.2f}")


def count(connection: duckdb.DuckDBPyConnection, sql: str) -> object:
    """Run a join to its end; something that is equal for equal results."""
    return connection.execute(f"select count(*), bit_xor(hash(n, id)) from ({sql})").fetchall()


def alternated(actions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each, run in turn."""
    took: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(RUNS):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            took[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in took.items()}


def lookups(keys: int) -> None:
    """One question in this process, with its path."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    ring = Ring()
    sql = LINKS_SQL.format(key="n // 5", slot="n % 5", last=4, rows=keys * 5)
    table: pa.Table = connection.sql(sql).to_arrow_table()
    start = time.perf_counter()
    ring.put(table)
    took = time.perf_counter() - start
    say(f"ring in memory: {len(ring):,} links read in {took:.1f} s")
    chain = Chains([PHONES, HOLDERS]).find("phone-number", "contract-number", None)
    asked = connection.execute(
        CALLS_SQL.format(keys=keys, span=5 * 86_400_000, rows=50_000).replace(
            'as "at"', 'as "when", epoch_us("when") as "at"'
        )
    ).to_arrow_table()
    times = []
    for one, at in zip(asked["id"].to_pylist(), asked["at"].to_pylist(), strict=True):
        began = time.perf_counter_ns()
        resolve(ring, chain, one, at)
        times.append((time.perf_counter_ns() - began) / 1000)
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    say(f"one look-up with its path: p50 {p50:.1f} µs, p99 {p99:.1f} µs")


def say(text: str) -> None:
    """Print a line of the result."""
    print(text)  # noqa: T201 - a benchmark's result


if __name__ == "__main__":
    main()
