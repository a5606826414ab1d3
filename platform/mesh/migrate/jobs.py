"""The nightly jobs of a warehouse: their order from a file, and what each reads and writes.

    jobs = load_jobs(folder)
    upstream(jobs, "report.porting")

What a job reads and writes is read from its SQL, never typed. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp

from mesh.contract.faults import Fault
from mesh.contract.yamlfile import Node, Report, read_yaml
from mesh.errors import InvalidFile, WrongUse

__all__ = ["LAYERS", "Job", "Step", "load_jobs", "named", "reports", "upstream"]

LAYERS = ("staging", "integration", "report")
RULE = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement that fills *writes* from *reads*, tables with their schema.

    *columns* are those that it names; where it names none, it fills all in their order.
    """

    sql: str = field(repr=False)
    writes: str
    reads: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a night; *steps* are its statements but those that empty a table."""

    name: str
    about: str
    path: Path
    sql: str = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)

    @property
    def writes(self) -> tuple[str, ...]:
        """The tables that it fills."""
        return tuple(dict.fromkeys(each.writes for each in self.steps))

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables that it reads, its own left out."""
        found = dict.fromkeys(name for each in self.steps for name in each.reads)
        return tuple(name for name in found if name not in self.writes)

    @property
    def layer(self) -> str:
        """The layer of what it writes."""
        return self.writes[0].partition(".")[0]

    @property
    def lines(self) -> int:
        """How many lines of SQL it has, empty ones and comments left out."""
        found = (line.strip() for line in self.sql.splitlines())
        return sum(1 for line in found if line and not line.startswith("--"))


def load_jobs(folder: Path) -> tuple[Job, ...]:
    """The jobs of the warehouse in *folder*, in their order. Raises `InvalidFile`."""
    file, report = read_yaml(folder / "jobs.yaml"), Report()
    jobs: list[Job] = []
    for node in file.root["jobs"].items:
        name = node["name"].text
        path = folder / "sql" / f"{name}.sql"
        if not name or not path.is_file() or any(each.name == name for each in jobs):
            remedy = f"name a file in {folder / 'sql'}, each once"
            report.fault(node, f"there is no job {name!r}", remedy, rule=RULE)
            continue
        jobs.append(read_job(node, path))
    if not jobs and not report.faults:
        report.fault(file.root, "there is no job", "add some to `jobs:`", rule=RULE)
    report.raise_faults()
    return tuple(jobs)


def read_job(node: Node, path: Path) -> Job:
    """One job with its SQL. Raises `InvalidFile` where that cannot be read, or fills nothing."""
    try:
        sql = path.read_text("utf-8")
        trees = [each for each in sqlglot.parse(sql, dialect="duckdb") if each is not None]
    except (OSError, ValueError, sqlglot.errors.SqlglotError) as error:
        raise invalid(path, f"it cannot be read: {str(error).splitlines()[0]}") from error
    steps = tuple(step_of(each) for each in trees if isinstance(each, exp.Insert))
    if not steps or not all(isinstance(each, exp.Insert | exp.Delete) for each in trees):
        raise invalid(path, "a job is made of `delete from` and `insert into … select`")
    return Job(name=path.stem, about=node["about"].text, path=path, sql=sql, steps=steps)


def step_of(tree: exp.Insert) -> Step:
    """A statement with what it reads: every table in its query that no CTE names."""
    target, query = tree.this, tree.expression
    table = target.find(exp.Table) if not isinstance(target, exp.Table) else target
    own = {each.alias_or_name for each in query.find_all(exp.CTE)}
    found = (named(each) for each in query.find_all(exp.Table))
    reads = dict.fromkeys(name for name in found if name not in own)
    listed = target.expressions if isinstance(target, exp.Schema) else []
    return Step(
        sql=query.sql(dialect="duckdb"),
        writes=named(table),
        reads=tuple(reads),
        columns=tuple(each.name for each in listed),
    )


def named(table: exp.Expr) -> str:
    """The whole name of a table, as it is written."""
    parts = (table.text(part) for part in ("catalog", "db", "this"))
    return ".".join(part for part in parts if part)


def reports(jobs: Sequence[Job]) -> dict[str, Job]:
    """The reports by name, each with the job that makes it."""
    return {
        table.partition(".")[2]: job
        for job in jobs
        for table in job.writes
        if table.startswith("report.")
    }


def upstream(jobs: Sequence[Job], report: str) -> tuple[Job, ...]:
    """The jobs of which *report* is made, in their order, itself the last. Raises `WrongUse`."""
    known = reports(jobs)
    if report not in known:
        raise WrongUse(f"there is no report {report!r}: there are {', '.join(known)}")
    makers = {table: job for job in jobs for table in job.writes}
    needed = set(walk(known[report], makers))
    return tuple(each for each in jobs if each.name in needed)


def walk(job: Job, makers: dict[str, Job]) -> Iterator[str]:
    """The name of a job, and of all whose tables it reads."""
    yield job.name
    for table in job.reads:
        if table in makers:
            yield from walk(makers[table], makers)


def invalid(path: Path, problem: str) -> InvalidFile:
    """The error for a job's SQL."""
    return InvalidFile([Fault(path=path, line=0, problem=problem, remedy="mend it", rule=RULE)])
