"""`mesh audit`: what was said, who changed it, and a proof that a stranger can check.

Not here: `verify` and `consistency`, which need no mesh (`audit_verify`), `watch` (`audit_watch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.audit_ask import AS, JSON, all_logs, ask, asker, log_of, proof_of, text_at
from mesh.cli.audit_verify import consistency, verify
from mesh.cli.audit_watch import watch
from mesh.cli.doors import FORMATS, download, form_for
from mesh.cli.output import put_text, show_json, show_table
from mesh.cli.read import find_port, get_token, reader
from mesh.contract.audit import AUDIT_SERVICE
from mesh.contract.model import Contract

__all__ = ["audit"]

LOGS = ("topic", "partition", "entries", "lag", "state", "reason")
HISTORY = ("at", "change", "writer", "partition", "offset", "fields")
DIFF = ("key", "change", "fields")

OUT = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE.")


@click.group()
def audit() -> None:
    r"""Ask the change audit log: who changed what, when, and the proof of it.

    \b
    Example:
      mesh audit history contracts C-000000001
      mesh audit prove calls 0 12 --out call.tlog-proof
      mesh audit verify call.tlog-proof --log-key "$(mesh audit key)"
    """


audit.add_command(verify)
audit.add_command(consistency)
audit.add_command(watch)


@audit.command()
@JSON
@click.pass_obj
def logs(app: App, *, as_json: bool) -> None:
    r"""List the logs, one a topic partition, and how far each is.

    \b
    Example:
      mesh audit logs
      mesh audit logs --json
    """
    found = all_logs(app)
    if as_json:
        show_json(found)
    else:
        show_table(LOGS, [[each[name] for name in LOGS] for each in found])


@audit.command()
@click.pass_obj
def key(app: App) -> None:
    r"""Print the key that checks every log of this mesh; keep it where the mesh cannot write.

    \b
    Example:
      mesh audit key > mesh.key
    """
    click.echo(text_at(app, "/key"), nl=False)


@audit.command()
@click.argument("topic")
@click.argument("partition", type=int)
@click.pass_obj
def checkpoint(app: App, topic: str, partition: int) -> None:
    r"""Print the newest signed checkpoint of the log of a PARTITION of a TOPIC, or of a port.

    Kept outside the mesh, it shows whether the log was cut or made anew since.

    \b
    Example:
      mesh audit checkpoint calls 0 > calls-0.checkpoint
    """
    click.echo(text_at(app, f"{log_of(app, topic, partition)['path']}/checkpoint"), nl=False)


@audit.command()
@click.argument("topic")
@click.argument("partition", type=int)
@click.argument("offset", type=int)
@OUT
@AS
@click.pass_obj
def prove(
    app: App, topic: str, partition: int, offset: int, *, out: Path | None, principal: str | None
) -> None:
    r"""Prove that the message at OFFSET of a PARTITION of a TOPIC, or of a port, was written.

    The proof is a C2SP tlog-proof: entry, inclusion, checkpoint, and the message unless erased.

    \b
    Example:
      mesh audit prove calls 0 12 --out call.tlog-proof
    """
    who = principal or asker(app, topic)
    text = proof_of(app, log_of(app, topic, partition), offset, who)
    if out is None:
        click.echo(text, nl=False)
        return
    put_text(out, text)
    click.echo(f"{out}: check it with `mesh audit verify {out} --log-key KEY`", err=True)


@audit.command()
@click.argument("port")
@click.argument("key")
@AS
@JSON
@click.pass_obj
def history(app: App, port: str, key: str, *, principal: str | None, as_json: bool) -> None:
    r"""Tell what became of the row with KEY of PORT: before, after, when, and who wrote it.

    \b
    Example:
      mesh audit history contracts C-000000001
      mesh audit history contracts C-000000001 --json
    """
    contract = find_port(app.project, port)
    document = ask(app, f"/history/{contract.id}", {"key": key}, principal or reader(app, contract))
    show_changes(contract, document, HISTORY, as_json=as_json)


@audit.command()
@click.argument("port")
@click.option("--at", help="An instant in ISO 8601, or next offsets as 0:120,1:95 [now].")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Print or write this format.")
@OUT
@AS
@JSON
@click.pass_obj
def state(
    app: App,
    port: str,
    *,
    at: str | None,
    form: str | None,
    out: Path | None,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Show the rows of PORT as they were at a moment.

    \b
    Example:
      mesh audit state contracts --at 2026-03-01T12:00:00Z
      mesh audit state contracts --at 0:120,1:95,2:0,3:7 --out then.parquet
    """
    contract = find_port(app.project, port)
    who = principal or reader(app, contract)
    asked = {"at": at} if at else {}
    if form is not None or out is not None:
        form = form_for(form, out, as_json=as_json)
        url = f"{app.address(AUDIT_SERVICE)}/state/{contract.id}"
        download(url, get_token(app, who, AUDIT_SERVICE), [*asked.items()], form=form, out=out)
        return
    document = ask(app, f"/state/{contract.id}", asked, who)
    if as_json:
        show_json(document)
    else:
        show_table(document["columns"], document["rows"])


@audit.command()
@click.argument("port")
@click.option("--from", "begin", required=True, help="A moment, as of `mesh audit state --at`.")
@click.option("--to", "end", help="A later moment [now].")
@AS
@JSON
@click.pass_obj
def diff(
    app: App, port: str, *, begin: str, end: str | None, principal: str | None, as_json: bool
) -> None:
    r"""Show which rows of PORT differ between two moments.

    \b
    Example:
      mesh audit diff contracts --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z
    """
    contract = find_port(app.project, port)
    asked = {"from": begin, **({"to": end} if end else {})}
    document = ask(app, f"/diff/{contract.id}", asked, principal or reader(app, contract))
    show_changes(contract, document, DIFF, as_json=as_json)


def show_changes(
    contract: Contract, document: Mapping[str, Any], columns: Sequence[str], *, as_json: bool
) -> None:
    """Changes of rows, as JSON or as a table."""
    if as_json:
        show_json(document)
        return
    rows = [
        [in_words(contract, each) if name == "fields" else each[name] for name in columns]
        for each in document["changes"]
    ]
    show_table(columns, rows)


def in_words(contract: Contract, change: Mapping[str, Any]) -> str:
    """What a change did to each field that is not what it was."""
    before, after = change["before"] or {}, change["after"] or {}
    if not before or not after:
        return ""
    names = [each.name for each in contract.fields if before[each.name] != after[each.name]]
    return ", ".join(f"{name}: {before[name]} → {after[name]}" for name in names)
