"""`mesh migrate agree|cutover|rollback|publish|status`: from which source a report comes.

Not here: comparing both (`migrate_compare`), and what the warehouse still is (`migrate_burndown`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mesh.cli.app import App
from mesh.cli.legacy import DAY, JSON, SEED
from mesh.cli.output import show_json, show_table, steps
from mesh.errors import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from mesh.migrate.decisions import Decision

__all__ = ["agree", "cutover", "publish", "rollback", "status"]

NIGHTS = click.option(
    "--nights", default=5, show_default=True, type=click.IntRange(1, 366),
    help="For so many nights in a row the ledger has no row without a cause.",
)  # fmt: skip
OWNER = click.option("--as", "principal", help="Who decides [MESH_PRINCIPAL, else the owner].")


@click.command()
@click.argument("report")
@click.option("--as", "principal", required=True, help="Who reads the report.")
@SEED
@JSON
@click.pass_obj
def agree(app: App, report: str, *, principal: str, seed: int, as_json: bool) -> None:
    r"""Agree, as a reader of REPORT, that its rows come from the mesh.

    It holds for the query as it is now, and until the report is cut over or rolled back.

    \b
    Example:
      mesh migrate agree porting --as linus
    """
    from mesh.cli.migrate_decide import decide, deciding
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.decisions import AGREED

    migration = Migration(app, seed)
    name = migration.known(report)
    if principal not in migration.readers(principal)[name]:
        raise Refused(f"{principal} is not granted {migration.contract(name).id}")
    with deciding(migration) as decisions:
        made = decide(migration, decisions, name, AGREED, principal)
    tell(made, f"{name}: {principal} agrees", as_json=as_json)


@click.command()
@click.argument("report")
@NIGHTS
@OWNER
@SEED
@JSON
@click.pass_obj
def cutover(
    app: App, report: str, *, nights: int, principal: str | None, seed: int, as_json: bool
) -> None:
    r"""Have REPORT come from the mesh, all of its days at once.

    It is refused, with what is missing, unless the ledger had no row without a cause for some
    nights up to the last one, every product that the query reads is certified now, and all readers
    have agreed. Where it was interrupted, it is repeated.

    \b
    Example:
      mesh migrate cutover porting --as barbara
    """
    from mesh.cli.migrate_decide import decide, deciding
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.decisions import CUT_OVER, source_of
    from mesh.migrate.facade import MESH
    from mesh.migrate.gate import lacking

    migration = Migration(app, seed)
    name, owner = migration.known(report), migration.owner(principal)
    with deciding(migration) as decisions:
        made = None
        if source_of(decisions, name) != MESH:
            facts = migration.facts(name, decisions, migration.readers(owner)[name])
            if missing := lacking(facts, nights):
                refuse(name, missing, as_json=as_json)
            made = decide(migration, decisions, name, CUT_OVER, owner, clean_nights=nights)
        days = published(migration, decisions, [name])[name]
    tell(made, f"{name} comes from the mesh: {days} days", as_json=as_json)


@click.command()
@click.argument("report")
@click.option("--reason", help="Why, for whoever looks later.")
@OWNER
@SEED
@JSON
@click.pass_obj
def rollback(
    app: App, report: str, *, reason: str | None, principal: str | None, seed: int, as_json: bool
) -> None:
    r"""Have REPORT come from the warehouse again, all of its days at once.

    Nothing need hold for it. Its readers are asked anew before the next cut-over.

    \b
    Example:
      mesh migrate rollback porting --reason "A reader misses a row." --as barbara
    """
    from mesh.cli.migrate_decide import decide, deciding
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.decisions import ROLLED_BACK, source_of
    from mesh.migrate.facade import WAREHOUSE

    migration = Migration(app, seed)
    name, owner = migration.known(report), migration.owner(principal)
    with deciding(migration) as decisions:
        made = None
        if source_of(decisions, name) != WAREHOUSE:
            made = decide(migration, decisions, name, ROLLED_BACK, owner, reason=reason)
        days = published(migration, decisions, [name])[name]
    tell(made, f"{name} comes from the warehouse: {days} days", as_json=as_json)


@click.command()
@click.argument("report", required=False)
@click.option("--as-of", "day", type=DAY, help="The last day of reports [the last night].")
@SEED
@JSON
@click.pass_obj
def publish(
    app: App, report: str | None, *, day: datetime | None, seed: int, as_json: bool
) -> None:
    r"""Publish REPORT, or all, up to the last night: from the mesh where it was cut over.

    Days whose rows are as they were are not published again.

    \b
    Example:
      mesh migrate publish
    """
    from mesh.cli.migrate_decide import deciding
    from mesh.cli.migrate_facts import Migration

    migration = Migration(app, seed)
    names = [migration.known(report)] if report else list(migration.reports)
    with deciding(migration) as decisions:
        found = published(migration, decisions, names, day.date() if day else None)
    if as_json:
        show_json({"published": found})
        return
    show_table(("report", "days published"), list(found.items()))


@click.command()
@NIGHTS
@OWNER
@SEED
@JSON
@click.pass_obj
def status(app: App, *, nights: int, principal: str | None, seed: int, as_json: bool) -> None:
    r"""Say of every report where it comes from, and what a cut-over lacks.

    \b
    Example:
      mesh migrate status
    """
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.decisions import source_of
    from mesh.migrate.facade import WAREHOUSE
    from mesh.migrate.gate import lacking

    migration = Migration(app, seed)
    readers, decisions = migration.readers(migration.owner(principal)), migration.decisions()
    found = []
    for name in migration.reports:
        source = source_of(decisions, name)
        facts = migration.facts(name, decisions, readers[name])
        missing = lacking(facts, nights) if source == WAREHOUSE else ()
        found.append({"report": name, "source": source, "lacking": list(missing)})
    if as_json:
        show_json({"reports": found})
        return
    rows = [(each["report"], each["source"], "\n".join(each["lacking"])) for each in found]
    show_table(("report", "comes from", "a cut-over lacks"), rows)


def published(
    migration: Any, decisions: Sequence[Decision], names: Sequence[str], day: date | None = None
) -> dict[str, int]:
    """Publish reports from where *decisions* say; of each, how many days are new."""
    from mesh.cli.migrate_publish import publish_reports
    from mesh.product.failpoints import arm

    if migration.app.settings.failpoint is not None:
        arm(migration.app.settings.failpoint)
    with steps() as progress:
        return publish_reports(migration, decisions, names, day, progress.say)


def refuse(report: str, missing: Sequence[str], *, as_json: bool) -> None:
    """Say why a report is not cut over, and end."""
    if as_json:
        show_json({"report": report, "lacking": list(missing)})
    else:
        click.echo(f"{report} is not cut over:")
        click.echo("\n".join(f"- {each}" for each in missing))
    sys.exit(1)


def tell(made: Decision | None, said: str, *, as_json: bool) -> None:
    """What was decided, if it was not so before."""
    if as_json:
        show_json({"decision": asdict(made) if made else None, "said": said})
    else:
        click.echo(said)
