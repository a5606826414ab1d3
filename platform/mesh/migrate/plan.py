"""What becomes of each statement of a warehouse: it is kept, moved or cut, and by which rule.

    plan = make_plan(load_jobs(folder), load_tables(folder / "tables.sql"), project)
    plan.reports[0].steps[0].fate        # "kept"

Read from the SQL of the jobs and of the products; no rule knows the name of a job. Not here: of
what a statement is made (`flow`), and whose what landed is (`domains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.contract.model import Contract
from mesh.contract.names import to_kebab
from mesh.contract.project import Project
from mesh.errors import WrongUse
from mesh.migrate.domains import Owners
from mesh.migrate.fates import REPORT, Judge, PlannedStep
from mesh.migrate.flow import Flow, Tables, trace_jobs
from mesh.migrate.jobs import Job
from mesh.query.files import QUERIES

__all__ = ["Plan", "PlannedReport", "make_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReport:
    """A report, the query that is to take its place, and all that it is made of, in order."""

    name: str
    query: str
    has_query: bool
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of a warehouse. *landing* says which port has what landed, if one has."""

    reports: tuple[PlannedReport, ...]
    steps: tuple[PlannedStep, ...]
    landing: tuple[tuple[str, Contract | None], ...]

    def report(self, name: str) -> PlannedReport:
        """One report. Raises `WrongUse` where there is none of the name."""
        for each in self.reports:
            if each.name == name:
                return each
        known = ", ".join(each.name for each in self.reports)
        raise WrongUse(f"there is no report {name!r}: there are {known}")


def make_plan(jobs: Sequence[Job], tables: Tables, project: Project) -> Plan:
    """What becomes of the *jobs* of a warehouse in the *project*."""
    flow = trace_jobs(jobs, tables)
    judge = Judge(flow, Owners(project, tables))
    steps = {id(each): judge.step(each) for each in flow.statements}
    return Plan(
        reports=tuple(
            planned(name, flow, steps, project.root)
            for name in dict.fromkeys(each.writes for each in flow.statements)
            if name.startswith(REPORT)
        ),
        steps=tuple(steps.values()),
        landing=tuple(judge.owners.landing.items()),
    )


def planned(table: str, flow: Flow, steps: dict[int, PlannedStep], root: Path) -> PlannedReport:
    """A report with its steps."""
    name = table.removeprefix(REPORT)
    query = QUERIES / f"{to_kebab(name)}.sql"
    return PlannedReport(
        name=name,
        query=query.as_posix(),
        has_query=(root / query).is_file(),
        steps=tuple(steps[id(each)] for each in flow.upstream(table)),
    )
