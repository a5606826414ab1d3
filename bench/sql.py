"""The SQL access point over HTTP: a large join, small queries, its cache; against plain DuckDB.

    python -m bench.sql [--calls N] [--rounds N]

The server runs in a process of its own, over tables as they are made from topics; the client keeps
its connection. Not here: how long a message takes to become visible (`sql_fresh`).
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import uvicorn
from fastapi import Response

from bench.measure import alternate, median, report
from mesh.backbone.endpoint import Principal
from mesh.contract.project import load_project
from mesh.control.tokens import issue_token, make_keys, public_key
from mesh.home import Home
from mesh.ports.serve import bind
from mesh.sql.desk import Desk
from mesh.sql.limits import Limits
from mesh.sql.nursery import Nursery
from mesh.sql.pool import Pool
from mesh.sql.session import ROWS
from mesh.sql.shelf import Shelf
from mesh.wiring.sql import checker, sql_app

__all__ = ["filled", "main", "served"]

ROOT = Path(__file__).parent.parent
ADA = Principal(name="ada", secret="not a secret")  # noqa: S106 - nor is it
PHONES = 200_000
FILL = {
    "call-center.calls": """
        select uuid() as call_id, '+1' || (2000000000 + (i * 7919) % {phones}) as phone_number,
            'billing' as queue, 'A-1000' as agent_id, 'invoice' as reason, 'north' as site,
            timestamptz '2026-01-01 00:00:00+00' + to_seconds(i) as started_at,
            timestamptz '2026-01-01 00:01:00+00' + to_seconds(i) as ended_at,
            60 as duration_s, 0 as _partition, i as _offset
        from range({calls}) t(i)""",
    "key-ring.links": """
        select 'phone-number-contract' as relation, 'S-' || i as statement_id, 'L-' || i as link_id,
            'phone-number' as from_type, '+1' || (2000000000 + i) as from_id,
            'contract-number' as to_type, 'C-' || (100000000 + i) as to_id,
            timestamptz '2025-01-01 00:00:00+00' as valid_from, null as valid_to,
            false as retracted, timestamptz '2025-01-01 00:00:00+00' as known_from,
            null as known_to, true as holds, 'many-to-one' as cardinality, 'sales' as authority,
            'topic' as topic, 0 as "partition", i as "offset"
        from range({phones}) t(i)""",
    "contracts.contracts": """
        select 'C-' || (100000000 + i) as contract_number, 'mobile' as kind, 'active' as state,
            timestamptz '2025-01-01 00:00:00+00' as opened_at, null as closed_at,
            'P-' || (100000 + i) as holder_id, null as user_id, null as administrator_id,
            'H-' || (10000 + i % 50000) as household_id
        from range({phones}) t(i)""",
}
JOIN = """
select contract.household_id, count(*) as calls, sum(call.duration_s) as seconds
from {calls} as call
join {links} as link
    on link.relation = 'phone-number-contract' and link.holds
    and link.from_id = call.phone_number and link.valid_from <= call.started_at
    and (link.valid_to is null or link.valid_to > call.started_at)
join {contracts} as contract on contract.contract_number = link.to_id
group by all order by calls desc, household_id limit 10 -- {number}
"""
NAMES = {
    "calls": "customer_service.call_center.calls",
    "links": "identity.key_ring.links",
    "contracts": "sales.contracts.contracts",
}
SMALL = "select state from {contracts} where contract_number = 'C-{number}'"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = spawn.Pipe()
        server = spawn.Process(target=serve, args=(theirs, folder, options.calls))
        server.start()
        theirs.close()  # else nobody would know that it has died
        port, token, files = mine.recv()
        ask = asker(port, token)
        joined = measure_join(ask, files, options.rounds)
        small = measure_small(ask)
        server.terminate()
        server.join()
    report("sql", {"calls": options.calls, "join": joined, **small})


def measure_join(ask: Callable[[str, str], float], files: dict[str, str], rounds: int) -> object:
    """The join over HTTP, and by DuckDB alone over the same files with one thread."""
    plain = duckdb.connect(config={"threads": 1})
    for name, path in files.items():
        plain.execute(f"attach '{path}' as {name} (read_only)")
    tables = {name: f"{name}.main.{ROWS}" for name in NAMES}
    number = iter(range(1_000_000))

    def ours() -> float:
        return ask("/sql?format=arrow", JOIN.format(**NAMES, number=next(number)))

    def theirs() -> float:
        began = time.perf_counter()
        plain.execute(JOIN.format(**tables, number=0)).to_arrow_table()
        return time.perf_counter() - began

    seconds = alternate({"mesh sql": ours, "duckdb": theirs}, rounds)
    ratios = [a / b for a, b in zip(seconds["mesh sql"], seconds["duckdb"], strict=True)]
    found = {name: round(median(each), 3) for name, each in seconds.items()}
    return {"seconds": found, "ratio": round(median(ratios), 2), "rounds": rounds}


def measure_small(ask: Callable[[str, str], float], count: int = 500) -> dict[str, object]:
    """A small query, the same from the cache, an in-process cursor, and nothing, in turns."""
    seconds: dict[str, list[float]] = {"empty": [], "cursor": [], "hit": [], "miss": []}
    kept = SMALL.format(**NAMES, number=100_000_000)
    ask("/sql", kept)
    for number in range(100_000_001, 100_000_001 + count):
        query = SMALL.format(**NAMES, number=number)
        for name, path, text in (
            ("empty", "/empty", ""),
            ("cursor", "/cursor", ""),
            ("hit", "/sql", kept),
            ("miss", "/sql", query),
        ):
            seconds[name].append(ask(path, text))
    p50 = {name: median(each) for name, each in seconds.items()}
    return {
        "p50_ms": {name: round(1000 * each, 2) for name, each in p50.items()},
        "hit_to_empty": round(p50["hit"] / p50["empty"], 2),
        "miss_to_cursor": round(p50["miss"] / p50["cursor"], 2),
    }


def asker(port: int, token: str) -> Callable[[str, str], float]:
    """Sends a text to a path; the seconds until the whole answer was there."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}

    def ask(path: str, text: str) -> float:
        began = time.perf_counter()
        connection.request("POST", path, text.encode(), headers)
        response = connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        assert response.status == 200, body  # noqa: S101 - or there is nothing to compare
        return took

    return ask


def filled(shelf: Shelf, calls: int) -> None:
    """The three tables with as many calls, and 200,000 numbers with a contract each."""
    for topic, contract in shelf.contracts.items():
        table = shelf.open(topic, bytes(16))
        query = FILL[contract.id].format(calls=calls, phones=PHONES)
        table._connection.execute(f"insert into {table._rows} by name {query}")
        table.changes += 1
    shelf.has_looked = True


def served(folder: Path, calls: int) -> tuple[Shelf, Desk, str, str]:
    """The access point's parts over filled tables; the key of tokens, and ada's."""
    home = Home.open(folder / "home")
    make_keys(home, [ADA])
    project = load_project(ROOT)
    contracts = [project.contract(each) for each in FILL]
    shelf = Shelf(folder / "sql", contracts, lambda _: None)
    filled(shelf, calls)
    pool = Pool(Nursery("mesh.wiring.sql_zygote"), Limits())
    desk = Desk(shelf=shelf, pool=pool, granted=lambda _: frozenset(FILL))
    return shelf, desk, public_key(home), issue_token(home, ADA, "sql")


def serve(pipe: Connection, folder: str, calls: int) -> None:
    """Serve, with an endpoint that does nothing, and one that asks a cursor of this process."""
    shelf, desk, key, token = served(Path(folder), calls)
    app = sql_app(desk, checker(key), lambda: {"state": "running"})
    shown: list[dict[str, str]] = []
    wanted = threading.Thread(target=lambda: shown.append(paths_of(shelf)))
    wanted.start()
    while wanted.is_alive():
        shelf.refresh()
        time.sleep(0.05)
    inner = duckdb.connect(config={"threads": 1})
    inner.execute(f"attach '{shown[0]['contracts']}' as own (read_only)")
    inner.execute(f"create view contracts as from own.main.{ROWS}")

    @app.post("/empty")
    def empty() -> Response:
        return Response(b"{}", media_type="application/json")

    @app.post("/cursor")
    def cursor() -> Response:
        return Response(str(inner.cursor().execute(SAMPLE).fetchall()).encode())

    listener = bind("127.0.0.1", 0, "bench")
    pipe.send((listener.getsockname()[1], token, shown[0]))
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])


SAMPLE = SMALL.format(contracts="contracts", number=100_000_077)


def paths_of(shelf: Shelf) -> dict[str, str]:
    """The newest copy of each table."""
    by_id = {each.contract.id: str(each.copy.path) for each in shelf.current(FILL)}
    return dict(zip(NAMES, (by_id[each] for each in FILL), strict=True))


if __name__ == "__main__":
    main()
