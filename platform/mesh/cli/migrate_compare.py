"""`mesh migrate compare`: the parity ledger, the warehouse's reports beside the mesh's."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.doors import content_with_headers
from mesh.cli.legacy import DAY, JSON, SEED, opened
from mesh.cli.output import show_json, show_table, steps
from mesh.cli.read import get_token, somebody
from mesh.contract.names import to_snake
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import MeshError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesh.migrate.bench import Answer
    from mesh.migrate.ledger import Line, Page
    from mesh.migrate.nights import Nights
    from mesh.migrate.verdict import Verdict

__all__ = ["SqlDoor", "compare", "verdict_document"]

# Longer than a query may wait and run.
TIMEOUT_S = 150
COLUMNS = (
    "report", "day", "equal", "different", "only here", "only there", "explained", "unexplained",
)  # fmt: skip


class SqlDoor:
    """The SQL access point, asked by one person; a `mesh.migrate.bench.Ports`."""

    def __init__(self, app: App, principal: str) -> None:
        self._url = f"{app.address(SQL_SERVICE)}/sql"
        self._token = get_token(app, principal, SQL_SERVICE)

    def ask(self, sql: str, day: date | None = None) -> Answer:
        """The answer to a query."""
        import pyarrow as pa

        from mesh.migrate.bench import Answer

        data, said = content_with_headers(
            "POST",
            self._url,
            params={"format": "arrow"},
            headers={"Authorization": f"Bearer {self._token}"},
            json={"sql": sql, "parameters": {} if day is None else {"day": str(day)}},
            timeout=TIMEOUT_S,
        )
        try:
            rows = pa.ipc.open_stream(data).read_all()
        except pa.ArrowInvalid as error:
            raise MeshError(f"the SQL access point's answer has no end: {error}") from error
        return Answer(rows=rows, offsets=json.loads(said["Mesh-Offsets"]))


@click.command()
@click.argument("names", metavar="[REPORT]...", nargs=-1)
@click.option("--from", "first", type=DAY, help="From this day on [the last five].")
@click.option("--to", "last", type=DAY, help="Up to this day [the last night].")
@click.option("--rows", "is_rows", is_flag=True, help="Show every row that differs.")
@click.option("--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first person].")
@SEED
@JSON
@click.pass_obj
def compare(
    app: App,
    names: tuple[str, ...],
    *,
    first: datetime | None,
    last: datetime | None,
    is_rows: bool,
    principal: str | None,
    seed: int,
    as_json: bool,
) -> None:
    r"""Compare reports of the warehouse with the mesh's, row by row, and explain what differs.

    A row is explained by the smallest set of rules under which the mesh's query gives exactly the
    warehouse's row. Ends with 1 where a row is not explained. What came of it is told to the
    product that offers the reports, and counts for a cut-over.

    \b
    Example:
      mesh migrate compare --as ada
      mesh migrate compare calls_per_contract --from 2026-01-05 --to 2026-01-06 --rows
    """
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.compare import compared

    door = SqlDoor(app, principal or somebody(app))
    migration = Migration(app, seed)
    with opened(app, seed) as nights:
        asked = (tuple(map(to_snake, names)), days_of(nights, first, last))
        with steps() as progress:
            pages = list(compared(nights, door, migration.queries.values(), asked, progress.say))
    verdicts = [each.verdict for each in pages]
    migration.tell(verdicts)
    if as_json:
        show_json({"reports": [page_document(each) for each in pages]})
    elif is_rows:
        show_rows(pages)
    else:
        show_verdicts(verdicts)
    check_explained(verdicts)


def days_of(nights: Nights, first: datetime | None, last: datetime | None) -> list[date]:
    """The days that are asked for, all of which have run. Raises `WrongUse`."""
    end = nights.next_night() - timedelta(days=1)
    to = end if last is None else last.date()
    since = nights.first_night if first is None else first.date()
    since = max(nights.first_night, to - timedelta(days=4)) if first is None else since
    if to > end or since > to:
        raise WrongUse(f"the warehouse has the days {nights.first_night} to {end}: run more nights")
    return [since + timedelta(days=n) for n in range((to - since).days + 1)]


def check_explained(verdicts: Sequence[Verdict]) -> None:
    """Raise `MeshError` where a row is not explained."""
    blocked = [each for each in verdicts if not each.is_clean]
    if blocked:
        count = sum(each.unexplained for each in blocked)
        names = ", ".join(sorted({each.report for each in blocked}))
        raise MeshError(f"no rule explains {count} rows of {names}: see them with --rows")


def page_document(page: Page) -> dict[str, object]:
    """A report of a day as JSON, with every row that differs."""
    return {
        **verdict_document(page.verdict),
        "columns": list(page.columns),
        "rows": [
            {
                "key": list(each.key),
                "what": each.kind,
                "old": [list(row) for row in each.old],
                "new": [list(row) for row in each.new],
                "causes": None if each.causes is None else list(each.causes),
            }
            for each in page.lines
        ],
    }


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """What the ledger says of a report of a day, as JSON."""
    return {
        "report": verdict.report,
        "day": verdict.day,
        "equal": verdict.equal,
        "different": verdict.different,
        "only_mesh": verdict.only_mesh,
        "only_warehouse": verdict.only_warehouse,
        "causes": dict(verdict.causes),
        "unexplained": verdict.unexplained,
        "clean": verdict.is_clean,
        "offsets": verdict.offsets,
        "compared_at": verdict.compared_at.isoformat(),
    }


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """What the ledger says, a line a report and day."""
    rows = [
        (
            each.report,
            each.day,
            each.equal,
            each.different,
            each.only_mesh,
            each.only_warehouse,
            "\n".join(f"{count} {cause}" for cause, count in sorted(each.causes.items())),
            each.unexplained,
        )
        for each in verdicts
    ]
    show_table(COLUMNS, rows)


def show_rows(pages: Sequence[Page]) -> None:
    """Every row that differs, the columns of its key first."""
    rows = [
        (
            page.verdict.report,
            page.verdict.day,
            " ".join(map(str, line.key)),
            *(values(page, line, side) for side in (line.old, line.new)),
            line.cause,
        )
        for page in pages
        for line in page.lines
    ]
    show_table(("report", "day", "row", "warehouse", "mesh", "cause"), rows)


def values(page: Page, line: Line, rows: Sequence[Sequence[object]]) -> str:
    """What one side says beside the day and the key; nothing where it has no such row."""
    known = {str(page.verdict.day), *map(str, line.key)}
    return "\n".join(
        " ".join(str(value) for value in row if str(value) not in known) for row in rows
    )
