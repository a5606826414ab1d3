"""How commands ask the SQL access point for what has a name: by the name, and never its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesh.cli.app import App
from mesh.cli.doors import answer
from mesh.cli.read import somebody
from mesh.cli.sql import TIMEOUT_S, headers
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import WrongUse

__all__ = ["ask_named", "request_of", "told", "values_in"]


def values_in(given: Sequence[str]) -> Mapping[str, str]:
    """The values of parameters. Raises `WrongUse` for what has no name, or one twice."""
    values: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name or name in values:
            raise WrongUse(f"--param {each}: say each as name=value, and once")
        values[name] = value
    return values


def ask_named(
    app: App, name: str, values: Mapping[str, object], principal: str
) -> Mapping[str, Any]:
    """Columns, rows and offsets of a named query's answer."""
    request = request_of(app, name, values, principal)
    return answer("POST", f"{app.address(SQL_SERVICE)}/sql", params={"format": "json"}, **request)


def request_of(
    app: App, name: str, values: Mapping[str, object], principal: str
) -> dict[str, object]:
    """A named query as it is sent: never its text."""
    return {
        "headers": headers(app, principal),
        "json": {"query": name, "parameters": values},
        "timeout": TIMEOUT_S,
    }


def told(app: App, principal: str | None, path: str) -> Mapping[str, object]:
    """What the service says of queries."""
    who = principal or somebody(app)
    return answer("GET", f"{app.address(SQL_SERVICE)}{path}", headers=headers(app, who))
