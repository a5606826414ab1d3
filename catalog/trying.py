"""Tests a contract on the real data: rows of the live port, over HTTP, as any reader gets them.

At most 10,000 rows in the order of the key, as Arrow, judged in columns; what is kept of them is
how many there were and how many broke which rule. Not here: when one tests (`observing`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from urllib.parse import quote

import duckdb
import httpx
import pyarrow as pa

from catalog.doors import body_at
from mesh.backbone.endpoint import Principal
from mesh.contract.ladder import Trial, digest_of
from mesh.contract.model import Contract
from mesh.contract.rules import check, fit
from mesh.errors import MeshError, Unreachable

__all__ = ["MOST_ROWS", "Login", "try_port"]

MOST_ROWS = 10_000
MAX_ANSWER_BYTES = 64 << 20
# A token is good for 15 minutes.
TOKEN_S = 600.0
MEMORY = "256MB"


class Login:
    """Exchanges the catalogue's secret for tokens. *access* says where that is done.

    Each is for one product alone, which could else read others' rows with it.
    """

    def __init__(
        self, principal: Principal, access: Callable[[], str | None], client: httpx.Client
    ) -> None:
        self._principal, self._access, self._client = principal, access, client
        self._tokens: dict[str, tuple[float, str]] = {}

    def token(self, product: str) -> str:
        """A good token for the door of *product*. Raises `Unreachable` where none is to be had."""
        now = time.monotonic()
        at, token = self._tokens.get(product, (-TOKEN_S, ""))
        if now - at >= TOKEN_S:
            token = self._ask(product)
            fresh = {name: each for name, each in self._tokens.items() if now - each[0] < TOKEN_S}
            self._tokens = fresh | {product: (now, token)}
        return token

    def _ask(self, product: str) -> str:
        address = self._access()
        if address is None:
            raise Unreachable("no address of the access service is known: name it in MESH_SERVICES")
        login = (self._principal.name, self._principal.secret)
        try:
            answer = self._client.post(
                f"{address}/token", params={"for": product}, auth=login
            ).raise_for_status()
            return str(answer.json()["token"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"the access service gives no token: {error}") from error


def try_port(
    client: httpx.Client, address: str, token: str, contract: Contract, at: datetime
) -> Trial:
    """Test the rows of *contract*'s port. Raises `MeshError` where they cannot be had."""
    url = f"{address}/ports/{quote(contract.port)}/rows?limit={MOST_ROWS}&format=arrow"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        body = body_at(client, url, MAX_ANSWER_BYTES, headers)
        with pa.ipc.open_stream(body) as stream:
            table = stream.read_all()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        # Arrow's own errors are ValueError, and OSError where a stream is cut short.
        raise MeshError(f"its rows cannot be read: {error}") from error
    digest = digest_of(contract)
    return Trial(
        port=contract.port,
        at=at,
        digest=digest,
        rows=table.num_rows,
        broken=broken_in(table, contract),
    )


def broken_in(table: pa.Table, contract: Contract) -> Counter[str]:
    """How many rows of *table* break which promise of *contract*."""
    try:
        fitted = fit(table, contract)
    except MeshError:
        # A column is missing, unknown, or of a type that cannot be meant: no row is as promised.
        return Counter(columns=table.num_rows or 1)
    broken = Counter(f"{each.field}.{each.rule}" for each in fitted.violations)
    numbers = pa.array(range(fitted.table.num_rows), pa.int64())
    rows = fitted.table.append_column("_row", numbers)
    with closing(duckdb.connect(config={"threads": 1, "memory_limit": MEMORY})) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", rows)
        broken.update(each.rule for each in check(connection, "rows", contract))
        if contract.kind != "event" and (doubled := doubles(connection, contract)):
            broken["key"] = doubled
    return broken


def doubles(connection: duckdb.DuckDBPyConnection, contract: Contract) -> int:
    """How many keys more than one row has."""
    keys = ", ".join(f'"{each.name}"' for each in contract.key_fields)
    if not keys:
        return 0
    sql = f'select count(*) from (select 1 from "rows" group by {keys} having count(*) > 1)'
    return int(connection.execute(sql).fetchall()[0][0])
