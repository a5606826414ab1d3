"""`mesh status`: what runs, where, how many rows, how far behind, how fresh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table
from mesh.control.running import find_running, find_standbys
from mesh.observe.status import with_status

__all__ = ["status"]

COLUMNS = ("service", "kind", "state", "address", "rows", "lag", "freshness", "rejected")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(app: App, *, as_json: bool) -> None:
    r"""Show every service: state, address, rows, lag, freshness.

    Lag counts the messages not yet taken in; freshness is the time from the broker's stamp of
    the newest message to its row. Exit code 0 also when the mesh is stopped.

    \b
    Example:
      mesh status
      mesh status --json
    """
    document = status_document(app)
    if as_json:
        show_json(document)
        return
    click.echo(f"the mesh of {app.found_home.path} is {document['state']}")
    services = document["services"]
    if isinstance(services, list) and services:
        show_table(COLUMNS, [list(cells(each)) for each in services])
    for warning in list_of(document, "warnings"):
        click.echo(f"warning: {warning}")


def status_document(app: App) -> dict[str, object]:
    """The whole answer, as JSON has it."""
    running = find_running(app.found_home)
    found: Mapping[str, object] = running.document if running is not None else {}
    services = [
        with_status(each)
        for each in list_of(found, "services")
        if isinstance(each, dict) and each["kind"] != "task"
    ]
    if running is None:
        services = [
            with_status({"name": name, "kind": "product", "state": "running", "address": address})
            for name, address in app.settings.services.items()
        ]
    is_up = running is not None or any(each.get("state") == "running" for each in services)
    services += find_standbys(app.found_home)
    return {
        "state": "running" if is_up else "stopped",
        "home": str(app.found_home.path),
        "services": services,
        "warnings": list_of(found, "warnings"),
    }


def list_of(document: Mapping[str, object], key: str) -> list[object]:
    """A list of a JSON document, empty where it is absent."""
    value = document.get(key)
    return value if isinstance(value, list) else []


def cells(service: Mapping[str, object]) -> Iterator[object]:
    """A service as a line of the table."""
    state = str(service.get("state"))
    reason = str(service.get("reason") or "")
    yield service["name"]
    yield service["kind"]
    if reason and state == "running":
        reason = f"restarted: {reason}"
    yield f"{state} ({reason})" if reason else state
    yield service.get("address")
    rows = service.get("rows")
    yield ", ".join(f"{port} {n:,}" for port, n in rows.items()) if isinstance(rows, dict) else ""
    yield service.get("lag")
    freshness = service.get("freshness_s")
    yield f"{freshness * 1000:.0f} ms" if isinstance(freshness, float) else ""
    yield service.get("rejected")
