"""How `mesh audit` speaks with the audit service. Not here: the commands (`audit`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from mesh.cli.app import App
from mesh.cli.doors import answer, content_with_headers
from mesh.cli.read import find_port, get_token, reader, somebody
from mesh.contract.audit import AUDIT_SERVICE
from mesh.errors import WrongUse

__all__ = ["AS", "JSON", "all_logs", "ask", "asker", "log_of", "proof_of", "text_at"]

AS = click.option(
    "--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first person granted]."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def ask(app: App, path: str, params: Mapping[str, str], principal: str) -> Mapping[str, Any]:
    """A document of the audit service, asked for as *principal*."""
    headers = {"Authorization": f"Bearer {get_token(app, principal, AUDIT_SERVICE)}"}
    url = f"{app.address(AUDIT_SERVICE)}{path}"
    return answer("GET", url, headers=headers, params=params)


def all_logs(app: App) -> list[Mapping[str, Any]]:
    """Every log."""
    found: Any = answer("GET", f"{app.address(AUDIT_SERVICE)}/logs")
    return list(found)


def log_of(app: App, topic: str, partition: int) -> Mapping[str, Any]:
    """The log of a partition of the topic, or of the port's topic, that is there now."""
    name = topic if topic.startswith("pub.") else find_port(app.project, topic).topic
    its = [each for each in all_logs(app) if each["topic"] == name]
    found = [each for each in its if each["partition"] == partition]
    if not found:
        there = ", ".join(str(each["partition"]) for each in its) or "none"
        raise WrongUse(f"there is no log of {name} [{partition}]: its partitions are {there}")
    return max(found, key=lambda each: each["state"] != "ended")


def asker(app: App, topic: str) -> str:
    """Who asks for a message where nobody is named."""
    contracts = [each for each in app.project.contracts.values() if each.topic == topic]
    if topic.startswith("pub.") and not contracts:
        return somebody(app)
    return reader(app, contracts[0] if contracts else find_port(app.project, topic))


def proof_of(app: App, log: Mapping[str, Any], offset: int, principal: str) -> str:
    """The proof of the entry of *offset* in *log*, with its message, asked for as *principal*."""
    path = str(log["path"]).replace("/logs/", "/opened/", 1)
    return text_at(app, f"{path}/proof/{offset}", get_token(app, principal, AUDIT_SERVICE))


def text_at(app: App, path: str, token: str | None = None) -> str:
    """A text of the audit service."""
    url = f"{app.address(AUDIT_SERVICE)}{quote(path)}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return content_with_headers("GET", url, headers=headers)[0].decode()
