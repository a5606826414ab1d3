"""The demo's step beside the legacy warehouse: one night, and a report of it on both sides."""

from __future__ import annotations

from mesh.cli.app import App
from mesh.cli.demo_checks import check
from mesh.cli.legacy import opened
from mesh.cli.migrate_compare import SqlDoor
from mesh.cli.migrate_plan import made_plan
from mesh.contract.sql import NOWHERE
from mesh.errors import MeshError

__all__ = ["COMPARE", "compare_a_report"]

SEED, READER = 7, "ada"
REPORT, HARD_WIRED = "handling_time", "calls_per_contract"
COMPARE = f"mesh migrate compare {REPORT} --from 2026-01-01 --to 2026-01-01 --as {READER}"


def compare_a_report(app: App) -> str:
    """Run the first night as the company always did, and compare what it reports of that day."""
    from mesh.migrate.compare import compared
    from mesh.query.files import QUERIES, load_queries

    cut = [each for each in made_plan(app).report(HARD_WIRED).steps if each.fate == "cut"]
    relations = {name for each in cut for name in each.relations}
    check(len(cut) == 3 and len(relations) == 1, f"the steps to a contract are not cut: {cut}")
    try:
        door = SqlDoor(app, READER)
        with opened(app, SEED) as nights:
            day = nights.first_night
            if nights.next_night() == day:
                list(nights.run(day))
            asked = ((REPORT,), (day,))
            queries = load_queries(app.project_root / QUERIES)
            (page,) = compared(nights, door, queries, asked, lambda _: None)
    except MeshError as error:
        if NOWHERE not in str(error):
            raise
        return "this machine has no limits for SQL of others, so nothing is compared"
    found = page.verdict
    check(found.is_clean, f"no rule explains what differs: {page.lines}")
    causes = {each for line in page.lines for each in line.causes or ()}
    check("time-zone" in causes, f"the hour that the warehouse has wrong is not found: {causes}")
    return (
        f"{found.different} of {found.equal + found.different} rows differ, all by known causes"
        f" ({', '.join(sorted(causes))}); one relation replaces {len(cut)} hard-wired steps"
    )
