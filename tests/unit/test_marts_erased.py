"""Whoever erases has marts made anew over HTTP, with the tables that they are made of."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.audit import ERASER
from mesh.contract.sql import SQL
from mesh.errors import MeshError
from mesh.ports.refusals import answer_error
from mesh.ports.serve import Server
from mesh.sql.follower import Follower
from mesh.sql.limits import missing
from mesh.wiring.rewriting_door import rewriting_routes
from tests.life import wait_until
from tests.marts import opened_marts, put_mart
from tests.sql import EVENTS, messages_of, shelf_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"needs limits: {missing()}")

# Nobody listens there, and of no topic nobody needs to.
NOWHERE = Endpoint(bootstrap_servers="127.0.0.1:9", registry_url="", security_protocol="PLAINTEXT")


@contextmanager
def erasable(access, marts, folder):
    """The door of a follower of nothing, which tells the marts; a token is a name."""
    shelf, stop = shelf_of(folder, []), threading.Event()
    principal = Principal(name=SQL, secret="not one")
    follower = Follower(NOWHERE, principal, shelf, print, marts.make_anew)
    app = FastAPI()
    app.add_exception_handler(MeshError, answer_error)
    app.include_router(rewriting_routes(follower.rewriting, lambda token: token))
    server = Server(app, access.home, SQL, host="127.0.0.1", port=0)
    thread = threading.Thread(target=follower.run, args=(stop,), daemon=True)
    server.start()
    thread.start()
    with httpx.Client(base_url=server.address, trust_env=False, timeout=60) as client:
        yield client
    stop.set()
    thread.join()
    server.stop()
    follower.close()
    shelf.close()


def test_whoever_erases_has_marts_made_anew_over_http(tmp_path):
    put_mart(tmp_path / "queries")
    folder = tmp_path / "sql" / "marts"
    with opened_marts(tmp_path) as (access, marts):
        access.put.put(messages_of([("a", 2)]))
        wait_until(lambda: access.desk.shelf.tables[EVENTS.topic].changes)
        wait_until(lambda: marts.step() == [] and len([*folder.rglob("*.duckdb")]) == 2)
        with erasable(access, marts, tmp_path / "none") as client:
            answers = {
                who: client.post("/control/rewrite", headers={"Authorization": f"Bearer {who}"})
                for who in ("ada", ERASER)
            }
            wait_until(lambda: client.get("/control").json()["rewritten_at"])
        left = [*folder.rglob("*.duckdb")]
        wait_until(lambda: marts.step() == [] and marts.shown(frozenset({EVENTS.id})))

        assert {who: each.status_code for who, each in answers.items()} == {"ada": 403, ERASER: 200}
        assert left == []
        assert access.rows("from marts.sales.per_n") == [[2, 1]]
