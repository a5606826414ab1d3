"""`mesh mdm`: the classic golden record over the same data, measured beside the key ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.output import put_text, show_json, show_table, steps

__all__ = ["mdm"]

RING_SIDES = ("ring", "ring_later")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def mdm() -> None:
    r"""Match and merge persons as master data management does, and hold it to the truth.

    No mesh need run: both sides work on what the simulated systems wrote.

    \b
    Example:
      mesh mdm run --days 20
      mesh mdm report
      mesh mdm show +17025550168
    """


@mdm.command()
@click.option("--days", default=60, show_default=True, type=click.IntRange(5, 365),
              help="How many days of calls and nightly runs.")  # fmt: skip
@click.option("--seed", default=7, show_default=True, help="Which simulated world.")
@JSON
@click.pass_obj
def run(app: App, *, days: int, seed: int, as_json: bool) -> None:
    r"""Make the golden records of every night, ask them and the key ring, and keep the report.

    The matcher is Splink (the extra `mdm`); its threshold is tuned on one half of the persons,
    and everything is counted on the other.

    \b
    Example:
      mesh mdm run
      mesh mdm run --days 20
    """
    from mesh.errors import SettingsError
    from mesh.migrate.mdm.kept import FOLDER, keep, record_rows
    from mesh.migrate.mdm.ring import RING
    from mesh.migrate.mdm.source import find_cards
    from mesh.migrate.mdm.twin import make, report_of
    from mesh.wiring.own import own_routes

    routes = own_routes(app.project.product(RING))
    if routes is None:
        raise SettingsError(f"the product {RING} has no door: mend its folder")
    with steps() as progress:
        twin = make(find_cards(), seed=seed, days=days, say=progress.say)
        report = report_of(twin, app.project, routes, progress.say)
    keep(app.home.folder(FOLDER), report, record_rows(twin, report["rule"]))
    tell(report, as_json=as_json)


@mdm.command()
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, too.")
@JSON
@click.pass_obj
def report(app: App, *, svg: Path | None, as_json: bool) -> None:
    r"""Show what the last run counted.

    \b
    Example:
      mesh mdm report
      mesh mdm report --svg twin.svg
    """
    from mesh.migrate.mdm.chart import svg_of
    from mesh.migrate.mdm.kept import FOLDER, kept_report

    found = kept_report(app.found_home.path / FOLDER)
    if svg is not None:
        put_text(svg, svg_of(found))
    tell(found, as_json=as_json)


@mdm.command()
@click.argument("number")
@JSON
@click.pass_obj
def show(app: App, number: str, *, as_json: bool) -> None:
    r"""Show the golden record that a telephone NUMBER leads to, card by card.

    The last column is the truth, which no such system has: whose each card is.

    \b
    Example:
      mesh mdm show +17025550168
    """
    from mesh.migrate.mdm.kept import FOLDER, golden_record

    cards = golden_record(app.found_home.path / FOLDER, number)
    if as_json:
        show_json({"number": number, "cards": cards})
        return
    names = ("role", "about", "given_name", "family_name", "birth_date", "street", "person")
    show_table(names, [[each[name] for name in names] for each in cards])


def tell(report: Mapping[str, Any], *, as_json: bool) -> None:
    """A report as JSON or as tables."""
    if as_json:
        show_json(report)
        return
    for title, columns, rows in tables_of(report):
        click.echo(f"\n{title}")
        show_table(columns, rows)


def tables_of(
    report: Mapping[str, Any],
) -> Sequence[tuple[str, Sequence[str], Sequence[Sequence[object]]]]:
    """Title, columns and rows of everything that was counted."""
    return [
        (
            f"{report['cards']:,} cards, threshold {report['threshold']}, tuned on one half of"
            " the persons; counted on the other",
            ("", "wrong", "of"),
            merge_rows(report["merges"]),
        ),
        (
            f"who called, in {report['days']} days; asked in the night after, or at the end",
            ("asked for", "golden record", "matched perfectly", "key ring"),
            call_rows(report["calls"]),
        ),
        (
            "numbers that got another user: known after",
            ("", "golden record", "key ring"),
            late_rows(report["late"]),
        ),
        (
            "what the key ring missed in the night after; it refuses what is not"
            f" {', '.join(report['roles'])}",
            ("asked for", "missed", "known at the end", "not even then"),
            missed_rows(report["calls"]),
        ),
        (
            "numbers that nobody has: answered all the same",
            ("numbers", "golden record", "key ring"),
            [[report["idle"][name] for name in ("asked", "twin", "ring")]],
        ),
        (
            "one identifier more: a SIM card's number for each contract",
            ("", "golden record", "key ring"),
            change_rows(report["change"]),
        ),
    ]


def merge_rows(merges: Mapping[str, int]) -> list[list[object]]:
    """Wrong merges and wrong splits, by pairs and by clusters."""
    return [
        ["pairs of cards merged", f"{merges['wrong_merges']:,}", f"{merges['linked']:,}"],
        ["pairs of a person's cards split", f"{merges['wrong_splits']:,}", f"{merges['true']:,}"],
        ["golden records of several persons", f"{merges['mixed']:,}", f"{merges['records']:,}"],
        ["persons with several", f"{merges['split']:,}", f"{merges['persons']:,}"],
    ]


def call_rows(calls: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[list[object]]:
    """Calls by role."""
    rows: list[list[object]] = [
        [role, *(answered(sides[side]) for side in ("twin", "perfect", "ring"))]
        for role, sides in calls.items()
    ]
    later = calls["user"]
    rows.append(
        ["user, at the end", answered(later["twin_later"]), "", answered(later["ring_later"])]
    )
    return rows


def missed_rows(calls: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[list[object]]:
    """The key ring's own misses, by role."""
    return [
        [role, missed, max(missed - left, 0), left]
        for role, sides in calls.items()
        for missed, left in [[sides[side]["wrong"] + sides[side]["none"] for side in RING_SIDES]]
    ]


def answered(count: Mapping[str, int]) -> str:
    """How many answers were right, how many wrong, how many none."""
    part = count["right"] / max(sum(count.values()), 1)
    return f"{part:.1%} right, {count['wrong']:,} wrong, {count['none']:,} not known"


def late_rows(late: Mapping[str, Any]) -> list[list[object]]:
    """After how long a new user is known."""
    return [
        [
            f"{hours} h" if hours < 24 else f"{hours // 24} d",
            *(
                f"{late[side]['right'][n]:,} of {late[side]['asked'][n]:,}"
                for side in ("twin", "ring")
            ),
        ]
        for n, hours in enumerate(late["after_hours"])
    ]


def change_rows(change: Mapping[str, Any]) -> list[list[object]]:
    """What had to change, and what works before anybody changes code."""
    twin, ring = change["twin"], change["ring"]
    stated = change["relation"]
    return [
        ["lines of its code to change", twin["lines"], ring["lines"]],
        ["in files", twin["files"], ring["files"]],
        ["lines of the new relation, its authority's", "", stated["lines"]],
        [f"of {change['sims']} SIM cards, known whose", change["twin_known"], change["ring_known"]],
    ]
