"""One question to the key ring over HTTP, against an empty endpoint of the same server.

    python -m bench.keyring_http [--questions N] [--rounds N]

The server, with the product's own routes, runs in a process of its own; the client keeps its
connection, by the standard library, since heavier clients take longer than the server.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import random
import time
import urllib.parse
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import uvicorn
from fastapi import FastAPI, Response

from bench.keyring import HOLDERS, LINKS_SQL, PHONES
from bench.measure import median, report
from mesh.contract.project import load_project
from mesh.ports.own import Own, Remembered
from mesh.ports.serve import bind
from products.key_ring.door import routes

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
KEYS, PER_KEY = 40_000, 5
CONFLICTS_SQL = """
select '' as relation, '' as statement_id, '' as holder_statement_id,
    null::timestamptz as known_from, null::timestamptz as known_to where false
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1_000, help="of each kind, a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    server = spawn.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    theirs.close()  # else nobody would know that it has died
    port = mine.recv()
    time.sleep(1)
    rounds = [one_round(port, options.questions) for _ in range(options.rounds)]
    server.terminate()
    server.join()
    empty, asked = (median([each[n] for each in rounds]) for n in (0, 1))
    found = {"empty_ms": round(empty, 3), "resolve_ms": round(asked, 3)}
    ratio = round(median([b / a for a, b in rounds]), 2)
    report("keyring_http", {"p50": found, "ratio": ratio, "rounds": len(rounds)})


def one_round(port: int, count: int) -> tuple[float, float]:
    """The medians in milliseconds of both, asked in turns over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    dice = random.Random(1)  # noqa: S311 - not for secrets
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        number = urllib.parse.quote(f"phone:+1{2_000_000_000 + dice.randrange(KEYS)}")
        for path, found in zip(
            ("/empty", f"/resolve?from={number}&to=contract&at=1970-01-03"), times, strict=True
        ):
            began = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": "Bearer bench"})
            response = connection.getresponse()
            body = response.read()
            found.append(1000 * (time.perf_counter() - began))
            assert response.status == 200, body  # noqa: S101 - or there is nothing to compare
    connection.close()
    return median(times[0]), median(times[1])


def serve(pipe: Connection) -> None:
    """The key ring's routes over links in memory, and an endpoint that does nothing."""
    project = load_project(ROOT)
    storage = duckdb.connect()
    storage.execute("set TimeZone = 'UTC'")
    sql = LINKS_SQL.format(
        key=f"n % {KEYS}", slot=f"n // {KEYS}", last=PER_KEY - 1, rows=KEYS * PER_KEY
    )
    storage.execute(f"create table links as {sql}")
    storage.execute(f"create table conflicts as {CONFLICTS_SQL}")
    own = Own(
        product=project.product("key-ring"),
        allow=Remembered(lambda _port, _token: None),
        reader=storage.cursor,
        listen=lambda _: None,
        identifiers=project.identifiers,
        relations=lambda: (PHONES, HOLDERS),
        offsets=dict,
    )
    app = FastAPI()

    @app.get("/empty")
    async def empty() -> Response:
        """Nothing."""
        return Response("{}", media_type="application/json")

    app.include_router(routes(own))
    config = uvicorn.Config(app, log_level="error", access_log=False)
    listener = bind("127.0.0.1", 0, "bench")
    pipe.send(listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
