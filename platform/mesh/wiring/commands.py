"""The commands of a running product, wired, where it has an `own` port with a folder of them."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
from fastapi import APIRouter

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import Refused
from mesh.ports.command_app import command_routes
from mesh.ports.commands import commands_of, model_of
from mesh.ports.desk import Desk
from mesh.ports.door import Door
from mesh.product.appending import Appender
from mesh.product.runtime import Runtime
from mesh.wiring.granted import Granted

__all__ = ["own_commands"]


def own_commands(
    runtime: Runtime,
    door: Door,
    granted: Granted,
    reader: Callable[[], duckdb.DuckDBPyConnection],
    login: tuple[Endpoint, Principal],
) -> APIRouter | None:
    """The routes of the commands that a product takes, for who is granted their port now."""
    found = runtime.plan.product.commands
    if found is None:
        return None
    port, folder = found
    contract = granted.files.input_contract(port)

    def allow(token: str) -> str:
        principal = door.principal(token)
        if principal not in granted.direct_readers_of(contract):
            raise Refused(f"{principal} is not granted {contract.id}, and may command nothing")
        return principal

    def is_current() -> bool:
        return runtime.progress.state == "running" and runtime.progress.lag == 0

    connection = reader()
    connection.execute('set schema = "input"')
    connection.execute(model_of(folder))
    desk = Desk(commands_of(folder, contract), connection, Appender(contract, *login), is_current)
    return command_routes(desk, allow)
