"""A product's own HTTP door: its status for anyone on the machine, its rows for the granted.

    GET /status
    GET /ports/calls/rows?limit=10      (Authorization: Bearer TOKEN)

Not here: tokens (`check` is handed in), and the process around the door (`serve`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated

import duckdb
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.model import Contract
from mesh.errors import Refused
from mesh.ports.values import json_rows
from mesh.product.duck import quoted

__all__ = ["Door", "door_app"]

MAX_ROWS = 10_000
# At the module's level, where FastAPI looks up what annotations name.
BEARER = HTTPBearer()


class NotKnown(Refused):
    """The token speaks for nobody."""


class Door:
    """What a product lets out: *contracts* by port name, *readers* by contract id."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contracts: Mapping[str, Contract],
        *,
        readers: Mapping[str, frozenset[str]],
        check: Callable[[str], str],
    ) -> None:
        self._connection = connection
        self._contracts = contracts
        self._readers = readers
        self._check = check

    def contract(self, port: str, token: str) -> Contract:
        """The contract of *port*, if whoever the token speaks for may read it.

        Raises `NotKnown` for a token that is not good, `Refused` for a port that is not
        granted. A port that is not there is refused alike, so that nobody learns names by asking.
        """
        try:
            principal = self._check(token)
        except Refused as error:
            raise NotKnown(str(error)) from error
        contract = self._contracts.get(port)
        if contract is None or principal not in self._readers[contract.id]:
            raise Refused(f"{principal} is not granted {port}")
        return contract

    def rows(self, contract: Contract, limit: int) -> dict[str, object]:
        """The first *limit* rows in order of key, and the input offsets they are true for."""
        columns = ", ".join(quoted(each.name) for each in contract.fields)
        keys = ", ".join(quoted(each.name) for each in contract.key_fields)
        cursor = self._connection.cursor()
        cursor.execute("begin")
        try:
            table = cursor.sql(
                f"select {columns} from main.{quoted(contract.name)} order by {keys}"
                f" limit {int(limit)}"
            ).to_arrow_table()
            offsets = cursor.execute("select offsets from mesh.state").fetchall()[0][0]
        finally:
            cursor.execute("rollback")
            cursor.close()
        return {
            "columns": table.column_names,
            "rows": json_rows(table),
            "offsets": json.loads(offsets),
        }

    def counts(self) -> tuple[dict[str, int], int]:
        """How many rows each port has, and how many rows and messages were ever rejected."""
        cursor = self._connection.cursor()
        try:
            rows = {
                port: int(
                    cursor.execute(f"select count(*) from main.{quoted(contract.name)}").fetchall()[
                        0
                    ][0]
                )
                for port, contract in self._contracts.items()
            }
            rejected = cursor.execute(
                "select coalesce(sum(count_rejected), 0)::bigint from mesh.quality"
            ).fetchall()[0][0]
            return rows, int(rejected)
        finally:
            cursor.close()


def door_app(title: str, door: Door, status: Callable[[], Mapping[str, object]]) -> FastAPI:
    """The HTTP application of a product."""
    app = FastAPI(title=title, docs_url=None, redoc_url=None)

    @app.get("/status")
    def get_status() -> Mapping[str, object]:
        """Health, rows, lag and freshness."""
        rows, rejected = door.counts()
        return {**status(), "rows": rows, "rejected": rejected}

    @app.get("/ports/{port}/rows")
    def get_rows(
        port: str,
        login: Annotated[HTTPAuthorizationCredentials, Depends(BEARER)],
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 100,
    ) -> Mapping[str, object]:
        """The rows of one port."""
        try:
            contract = door.contract(port, login.credentials)
        except NotKnown as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error
        except Refused as error:
            raise HTTPException(403, str(error)) from error
        return door.rows(contract, limit)

    return app
