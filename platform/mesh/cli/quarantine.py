"""`mesh quarantine`: what is set aside because it broke a contract, and putting it through.

It is read and written with the product's own secret, which is its owner's right: what is set
aside is as it came, personal data too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import Steps, printable, said, show_json, show_table, steps
from mesh.cli.quarantine_show import as_document, by_id, is_port, show_entry, show_outcomes
from mesh.errors import MeshError, NotRunning, WrongUse

if TYPE_CHECKING:
    from mesh.product.asking import Asking
    from mesh.product.quarantine import Entry, Quarantine

__all__ = ["open_quarantine", "quarantine", "replay_entries"]

WAIT_S, POLL_S = 60.0, 0.3
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
COLUMNS = ("id", "port", "partition", "offset", "rule", "field", "rejected_at", "state", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One product's quarantine, read and written as the product."""

    product: str
    quarantine: Quarantine
    asking: Asking

    def entries(self, progress: Steps) -> list[Entry]:
        """All entries that are not past their time, in order of port and origin."""
        now = datetime.now(UTC)

        def tell(count: int) -> None:
            if count:
                progress.say(f"{self.product}: {count:,} rejection{'s' * (count != 1)} read")

        progress.say("reading what is set aside")
        found = [each for each in self.quarantine.entries(tell) if each.is_kept(now)]
        return sorted(found, key=lambda each: each.name)


@click.group()
def quarantine() -> None:
    """What is set aside because it broke a contract, and putting it through after a fix."""


@quarantine.command("list")
@click.argument("product", required=False)
@click.option("--port", help="Only of this port: its name, or its contract's id.")
@JSON
@click.pass_obj
def list_entries(app: App, product: str | None, *, port: str | None, as_json: bool) -> None:
    r"""List what PRODUCT has set aside, or every product whose secret is here.

    \b
    States:
      waiting         set aside, and not asked for
      asked           asked for; the product has not come to it
      replayed        put through
      rejected again  put through, and it still broke the contract
      superseded      too late: a newer row or a deletion stands for its key

    \b
    Example:
      mesh quarantine list
      mesh quarantine list call-center --port finished-calls --json
    """
    names = [product] if product else with_secrets(app)
    with steps() as progress:
        read = entries_of(app, names, progress)
    found = [each for entries in read.values() for each in entries if is_port(each, port)]
    if as_json:
        show_json([as_document(each) for each in found])
        return
    if not found:
        click.echo("nothing is set aside")
        return
    rows = [as_document(each) for each in found]
    show_table(COLUMNS, [[cell(row, name) for name in COLUMNS] for row in rows])


@quarantine.command("show")
@click.argument("entry_id", metavar="ID")
@JSON
@click.pass_obj
def show(app: App, entry_id: str, *, as_json: bool) -> None:
    r"""Show one entry as it came: its bytes, key, schema, origin and what is wrong with it.

    It is read with the product's own secret. What it shows may be personal.

    \b
    Example:
      mesh quarantine show 0f3c51a2b7d9
      mesh quarantine show 0f3c51a2b7d9 --json
    """
    with steps() as progress:
        read = entries_of(app, with_secrets(app), progress)
        found = [entry for entries in read.values() for entry in entries if entry.id == entry_id]
        for entry in found:
            with open_quarantine(app, entry.product) as session:
                original = next(session.quarantine.originals([entry.name]), None)
            progress.end()
            show_entry(entry, original, as_json=as_json)
            return
    raise WrongUse(f"nothing that is set aside is called {entry_id!r}: see `mesh quarantine list`")


@quarantine.command()
@click.argument("product")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "is_all", is_flag=True, help="All that wait or were rejected again.")
@click.option("--rule", help="All of those that broke this rule.")
@JSON
@click.pass_obj
def replay(
    app: App,
    product: str,
    ids: tuple[str, ...],
    *,
    is_all: bool,
    rule: str | None,
    as_json: bool,
) -> None:
    r"""Put through, once, what PRODUCT has set aside; after its cause is mended.

    A running product takes it in at once, with the contracts and SQL that it was started with;
    one that is stopped at its next start. What got through before is not put through again,
    what still breaks the contract is rejected again, and what is superseded is not applied.
    Exit code 1 where something was not put through.

    \b
    Example:
      mesh quarantine replay call-center 0f3c51a2b7d9
      mesh quarantine replay call-center --rule queue.enum
      mesh quarantine replay call-center --all --json
    """
    if (bool(ids) + is_all + (rule is not None)) != 1:
        raise WrongUse("say what to replay: one or more IDs, or --all, or --rule RULE")

    def pick(entries: Sequence[Entry]) -> list[Entry]:
        if ids:
            return by_id(product, entries, ids)
        return [each for each in entries if each.is_open and rule in (None, each.rule)]

    is_running = runs(app, product)
    with steps() as progress, open_quarantine(app, product) as session:
        found, refused = replay_entries(session, pick, progress, is_running=is_running)
    is_ok = show_outcomes(found, refused, as_json=as_json)
    if not is_running and any(each.state == "asked" for each in found):
        click.echo(f"{product} is not running: it takes them in at its next start", err=True)
    sys.exit(0 if is_ok else 1)


def replay_entries(
    session: Session,
    pick: Callable[[Sequence[Entry]], list[Entry]],
    progress: Steps,
    *,
    is_running: bool,
) -> tuple[list[Entry], dict[str, str]]:
    """Ask for what *pick* picks; the entries afterwards, and why not for those that cannot be.

    Waits until the product has judged them, if it runs.
    """
    picked = pick(session.entries(progress))
    due = [each for each in picked if each.is_open]
    refused = {}
    if due:
        progress.say(f"asking for {len(due):,}")
        refused = session.asking.ask(due)
        deadline = time.monotonic() + WAIT_S
        while is_running and not session.asking.has_taken_all() and time.monotonic() < deadline:
            progress.say(f"waiting until {session.product} has taken them in")
            time.sleep(POLL_S)
    names = {each.id for each in picked}
    return [each for each in session.entries(progress) if each.id in names], refused


def entries_of(app: App, names: Sequence[str], progress: Steps) -> dict[str, list[Entry]]:
    """The entries of each of these products; read together, since most of it is waiting."""

    def read(name: str) -> list[Entry]:
        with open_quarantine(app, name) as session:
            return session.entries(progress)

    # Made once, before threads ask.
    _ = app.project, app.endpoint, app.home
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


@contextmanager
def open_quarantine(app: App, product: str) -> Iterator[Session]:
    """The quarantine of *product*, with its own secret."""
    from mesh.backbone.registry import Registry
    from mesh.product.asking import Asking
    from mesh.product.plan import plan_product
    from mesh.product.quarantine import Quarantine

    plan = plan_product(app.project, product)
    principal = app.principal(product)
    with Registry(app.endpoint) as registry:
        found = Quarantine(plan, app.endpoint, principal, registry)
        asking = Asking(plan, found, app.endpoint, principal)
        yield Session(product=product, quarantine=found, asking=asking)


def with_secrets(app: App) -> list[str]:
    """The products whose secret is here: on the host of a mesh in containers, perhaps not all."""
    names = [name for name in app.project.products if app.home.secret_path(name).exists()]
    if not names:
        raise MeshError("there is no product's secret here: `mesh up` makes them")
    return names


def runs(app: App, product: str) -> bool:
    """Whether the product runs now."""
    try:
        app.address(product)
    except NotRunning:
        return False
    return True


def cell(document: Mapping[str, object], name: str) -> str:
    """A value of a document in a table, which has no room for parts of seconds."""
    text = said(document, name)
    return f"{text[:19]}Z" if name == "rejected_at" else printable(text)
