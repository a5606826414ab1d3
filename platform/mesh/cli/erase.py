"""`mesh erase`: a person is forgotten, and it can be shown that nothing else was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import Steps, show_json, show_table, steps
from mesh.contract.questions import instant_in
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.cli.erasing import Erasing, Outcome
    from mesh.erasure.request import Request

__all__ = ["erase"]

COLUMNS = ("where", "what", "count")
# What no erasure reaches, and why.
STAYS = {
    "entries of the audit logs": "a commitment hides its message once the salt is destroyed",
    "the erasure's record": "says the request, when and how many; never the person",
    "feeds/ of the state folder": "the operational system's own memory of what it has sent",
    "batch/ of the state folder": "days of files go when their contracts keep them no longer",
    "operational systems": "their databases are outside of the mesh",
    "files that people exported": "nobody here knows where they are",
}


@click.command()
@click.option("--identifier", metavar="TYPE:VALUE", help="What is known of the person.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    help="In which role it leads to the person; further ones are erased too.",
)
@click.option("--request", "id_", required=True, help="The request's id; it is published.")
@click.option("--at", help="As of which instant it leads there, in ISO 8601 [now].")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be erased, and no more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; asks nothing, so needs --yes.")
@click.pass_obj
def erase(
    app: App,
    *,
    identifier: str | None,
    roles: tuple[str, ...],
    id_: str,
    at: str | None,
    is_dry: bool,
    yes: bool,
    as_json: bool,
) -> None:
    r"""Erase a person from every topic, storage and log of the mesh, for good.

    The key ring says to whom the identifier leads in the role, and what else leads there, when:
    of a number that changed hands only this person's time is erased. Stopped in the middle, the
    same request goes on.

    \b
    Example:
      mesh erase --identifier phone:+12025550123 --role user --request 2026-17 --dry-run
      mesh erase --identifier phone:+12025550123 --role user --request 2026-17 --yes
    """
    from mesh.contract.audit import ERASER
    from mesh.erasure.request import Request
    from mesh.erasure.saying import said

    if as_json and not (yes or is_dry):
        raise click.UsageError("--json asks nothing: add --yes")
    begun = Request.find(app.home, id_)
    before = said(app.endpoint, app.principal(ERASER), id_)
    if begun is None and before is not None:
        show_before(id_, before, as_json=as_json)
        return
    asked = Asked(identifier=identifier, roles=roles, id=id_, at=at)
    with steps() as progress:
        carry_out(app, begun, asked, progress, Mode(is_dry=is_dry, yes=yes, as_json=as_json))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a request is about, as it was typed."""

    identifier: str | None
    roles: tuple[str, ...]
    id: str
    at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """Whether it is a plan only, asks nothing, prints JSON."""

    is_dry: bool
    yes: bool
    as_json: bool


def carry_out(app: App, begun: Request | None, asked: Asked, progress: Steps, mode: Mode) -> None:
    """Show the plan and ask, as far as that is wanted, and erase."""
    from mesh.backbone.registry import Registry
    from mesh.cli.erasing import Erasing

    with Registry(app.endpoint) as registry:
        erasing = Erasing(app, registry, progress.say)
        request = begun or new(app, erasing, asked)
        if mode.is_dry or not mode.yes:
            show(request, erasing.plan(request), is_dry=True, as_json=mode.as_json)
        if mode.is_dry:
            return
        if not mode.yes:
            progress.end()
            click.confirm("Erase it? It cannot be brought back.", abort=True)
        outcome = erasing.run(request)
    show(request, outcome, is_dry=False, as_json=mode.as_json)


def new(app: App, erasing: Erasing, asked: Asked) -> Request:
    """A new request. Raises `WrongUse` where it does not say whom it is about."""
    from datetime import UTC, datetime

    from mesh.contract.questions import micros
    from mesh.erasure.request import Request

    if asked.identifier is None or not asked.roles:
        raise WrongUse("say who: --identifier TYPE:VALUE, as phone:+12025550123, and --role ROLE")
    at = micros(datetime.now(UTC)) if asked.at is None else instant_in(asked.at)
    whose = erasing.resolve(asked.identifier, asked.roles, at)
    if whose.found_in(asked.id):
        raise WrongUse("the request's id says who it is about, and it is published: choose another")
    return Request.begin(app.home, asked.id, whose)


def show_before(id_: str, said: Mapping[str, object], *, as_json: bool) -> None:
    """Say that it was done already."""
    if as_json:
        show_json({"request": id_, "state": "erased before", **said})
        return
    click.echo(f"{id_} was carried out at {said['erased_at']}: nothing is done")


def show(request: Request, outcome: Outcome, *, is_dry: bool, as_json: bool) -> None:
    """Print what was found, or what has become of it."""
    document = {
        "request": request.id,
        "state": "planned" if is_dry else "erased",
        "person": request.whose.person,
        "identifiers": sorted(request.whose.spans),
        "topics": [
            {"topic": each.place.topic, "messages": each.rows, "tombstones": each.tombstones}
            for each in outcome.found
            if each.rows or each.tombstones
        ],
        "openings": openings(outcome.logs),
        "storages": {
            name: {"bytes_before": before, "bytes_after": after}
            for name, (before, after) in outcome.storages.items()
        },
        "left": {each.place.topic: each.rows for each in outcome.left},
        "stays": STAYS,
    }
    if as_json:
        show_json(document)
        return
    word = "would be erased" if is_dry else "is erased"
    others = ", ".join(sorted(request.whose.spans)) or "nothing else"
    click.echo(f"{request.whose.person} {word}; {others} for the time of leading there")
    show_table(COLUMNS, [*lines(outcome)])
    if not is_dry:
        show_table(("stays", "why"), [*STAYS.items()])


def openings(logs: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """How many messages the logs of each topic opened."""
    found: dict[str, int] = {}
    for each in logs:
        topic = str(each["topic"])
        found[topic] = found.get(topic, 0) + int(str(each["openings"]))
    return {topic: count for topic, count in found.items() if count}


def lines(outcome: Outcome) -> Iterator[tuple[str, str, object]]:
    """The rows of the table."""
    for each in outcome.found:
        if each.rows:
            yield each.place.topic, "messages", each.rows
    for topic, count in openings(outcome.logs).items():
        yield topic, "openings in the audit log", count
    for name, (before, after) in outcome.storages.items():
        yield name, "storage written anew, bytes", f"{before:,} → {after:,}"
    for each in outcome.left:
        yield each.place.topic, "LEFT: whoever said it must erase it", each.rows
