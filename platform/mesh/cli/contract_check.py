"""`mesh contract check`: whether the contracts as they are now would break who reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.findings import print_json

if TYPE_CHECKING:
    from mesh.control.registrar import Verdict

__all__ = ["check"]


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check(app: App, ids: tuple[str, ...], *, is_json: bool) -> None:
    """Compare contracts (all, if none is named) with what the registry has of them.

    Example: mesh contract check call-center.calls

    Needs a mesh that runs. It says what `mesh up` and `mesh provision` would say, and registers
    nothing. What a registry cannot see (rules, the key), `mesh contract diff` tells. Exits with 1
    if any contract would break its readers.
    """
    from mesh.backbone.registry import Registry
    from mesh.control.registrar import judge

    contracts = [app.project.contract(each) for each in ids] or app.project.contracts.values()
    with Registry(app.endpoint) as registry:
        found = judge(app.project, registry, contracts)
    is_refused = any(each.is_refused for each in found)
    if is_json:
        print_json({"ok": not is_refused, "contracts": [as_record(each) for each in found]})
    else:
        for each in found:
            click.echo(str(each))
    sys.exit(1 if is_refused else 0)


def as_record(verdict: Verdict) -> dict[str, object]:
    """A verdict for JSON."""
    return {
        "id": verdict.contract.id,
        "version": verdict.contract.version,
        "new": verdict.is_new,
        "refused": verdict.is_refused,
        "readers": list(verdict.readers),
        "changes": [
            {"field": each.field, "what": each.what, "why": each.why} for each in verdict.changes
        ],
    }
