"""`mesh drill`: try a safeguard by breaking its rule on purpose."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, steps
from mesh.errors import WrongUse

__all__ = ["drill"]

COUNTED = (
    *("kills", "failpoints", "broker_kills", "frozen", "slowed", "timeouts"),
    *("zombies", "zombies_ended"),
)
FAULTS = ("lost", "doubled", "out_of_order", "wrong", "seen_otherwise")


@click.command()
@click.argument("name", type=click.Choice(["foreign-write", "kills", "tamper"]))
@click.option("--kills", type=click.IntRange(1), default=5, show_default=True, help="Of `kills`.")
@click.option(
    "--rate", type=click.IntRange(1, 5000), default=500, show_default=True, help="Entries a second."
)
@click.option("--seconds", type=click.FloatRange(0), default=0, help="Feed at least so long.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another order of steps.")
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Of `tamper`, alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def drill(app: App, /, name: str, *, cases: tuple[str, ...], as_json: bool, **scale: float) -> None:
    r"""Try a safeguard by breaking its rule on purpose.

    foreign-write: on the running mesh, every principal writes to every topic that is not its own;
    the broker must refuse each time.

    kills: on a mesh of its own, which is gone afterwards, a product is fed while it is killed at
    random and at every failpoint, while Kafka is killed, frozen and slow, while commits are cut
    short, and while one that seemed dead comes back; nothing may be lost, doubled or out of
    order. About a minute; `--kills 30` takes some ten.

    tamper: on a mesh of its own too, the audit logs, a topic and a product's storage are tampered
    with in every way; `mesh audit verify --live` must name what was done and where, and tell it
    from an erasure. About a minute.

    \b
    Example:
      mesh drill foreign-write
      mesh drill kills --kills 30
      mesh drill tamper
    """
    if name == "kills":
        result = kills(app, scale)
    elif name == "tamper":
        result = tamper(app, cases)
    else:
        from mesh.control.drills import DRILLS

        result = DRILLS[name](app.project, app.home, app.endpoint)
    if as_json:
        show_json(result)
    else:
        show_verdict(name, result)
    sys.exit(0 if result["ok"] else 1)


def kills(app: App, scale: Mapping[str, float]) -> dict[str, object]:
    """Run the drill `kills`."""
    from mesh.drills.kills import Scale, drill_kills

    with steps() as progress:
        return drill_kills(
            app.settings,
            Scale(
                kills=int(scale["kills"]),
                rate=int(scale["rate"]),
                seconds=scale["seconds"],
                seed=int(scale["seed"]),
            ),
            progress.say,
        )


def tamper(app: App, cases: Sequence[str]) -> dict[str, object]:
    """Run the drill `tamper`. Raises `WrongUse` for a case that is none."""
    from mesh.drills.cases import CASES
    from mesh.drills.tamper import drill_tamper

    if unknown := sorted({*cases} - {*CASES}):
        raise WrongUse(f"{unknown[0]!r} is no case of tamper: there are {', '.join(CASES)}")
    with steps() as progress:
        return drill_tamper(app.settings, cases, progress.say)


def show_verdict(name: str, result: Mapping[str, object]) -> None:
    """Say in words how a drill ended."""
    verdict = "held" if result["ok"] else "DID NOT HOLD"
    if name == "kills":
        click.echo(f"kills: exactly once {verdict} for {result['events']:,} events")
        for each in (*COUNTED, *FAULTS):
            found = result[each]
            count = sum(found.values()) if isinstance(found, dict) else found
            click.echo(f"  {each.replace('_', ' '):<14} {count}")
        if result["stuck"]:
            click.echo(f"  stuck: {result['stuck']}")
        return
    click.echo(f"{name}: the safeguard {verdict} in {result['cases']} cases")
    missed = result["missed"]
    for each in missed if isinstance(missed, list) else []:
        click.echo(f"  missed: {each}")
