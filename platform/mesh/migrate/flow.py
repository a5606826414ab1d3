"""What each statement of a warehouse makes of what: column by column, back to what landed.

    flow = trace_jobs(jobs, load_tables(folder / "tables.sql"))
    flow.statements[0].columns[0].origins      # {("landing.finished_calls", "call_id")}

Read from the SQL alone, and nothing is run. Not here: what is to become of a statement (`plan`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp

from mesh.contract.sqlrows import Fields, Rows, Unclear, tables_of, union
from mesh.contract.sqlsources import sources_of
from mesh.migrate.copying import copied_from
from mesh.migrate.jobs import Job, Step, invalid, named

__all__ = ["LANDING", "Column", "Flow", "Statement", "Tables", "load_tables", "trace_jobs"]

LANDING = "landing."
# The columns of each table, in their order.
Tables = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of what a statement writes.

    *origins* are the columns of tables that landed of which it is made, *copy* the column of a
    table that it is unchanged, if it is one.
    """

    name: str
    origins: Fields
    copy: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A step of a job, traced. *unknown* is why it could not be told of what it is made."""

    job: Job
    step: Step = field(repr=False)
    columns: tuple[Column, ...]
    landed: tuple[str, ...]
    unknown: str = ""

    @property
    def writes(self) -> str:
        """The table that it fills."""
        return self.step.writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """All statements of a warehouse in their order, and the columns of its tables."""

    statements: tuple[Statement, ...]
    tables: Tables

    def columns(self, table: str) -> tuple[Column, ...]:
        """What is written into a table, by each statement that fills it."""
        found = (each.columns for each in self.statements if each.writes == table)
        return tuple(column for columns in found for column in columns)

    def upstream(self, table: str) -> tuple[Statement, ...]:
        """The statements of which *table* is made, in their order."""
        wanted, found = {table}, set[str]()
        while wanted - found:
            found |= wanted
            wanted = {
                read for each in self.statements if each.writes in found for read in each.step.reads
            }
        return tuple(each for each in self.statements if each.writes in found)


def load_tables(path: Path) -> Tables:
    """The tables of a warehouse with their columns. Raises `InvalidFile`."""
    try:
        trees = sqlglot.parse(path.read_text("utf-8"), dialect="duckdb")
    except (OSError, ValueError, sqlglot.errors.SqlglotError) as error:
        raise invalid(path, f"it cannot be read: {str(error).splitlines()[0]}") from error
    return {
        named(tree.this.this): tuple(each.name for each in tree.this.expressions)
        for tree in trees
        if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema)
    }


def trace_jobs(jobs: Sequence[Job], tables: Tables) -> Flow:
    """The statements of *jobs*, each with what its columns are made of."""
    known: dict[tuple[str, str], Fields] = {
        (table, name): frozenset({(table, name)})
        for table, columns in tables.items()
        if table.startswith(LANDING)
        for name in columns
    }
    landed: dict[str, frozenset[str]] = {}
    found = []
    for job in jobs:
        for step in job.steps:
            traced, unknown = columns_of(step, tables, known)
            for each in traced:
                place = (step.writes, each.name)
                known[place] = known.get(place, frozenset()) | each.origins
            own = frozenset(each for each in step.reads if each.startswith(LANDING))
            own = own.union(*(landed.get(each, ()) for each in step.reads))
            landed[step.writes] = landed.get(step.writes, frozenset()) | own
            found.append(
                Statement(
                    job=job,
                    step=step,
                    columns=traced,
                    landed=tuple(sorted(own)),
                    unknown=unknown,
                )
            )
    return Flow(statements=tuple(found), tables=tables)


def columns_of(
    step: Step, tables: Tables, known: Mapping[tuple[str, str], Fields]
) -> tuple[tuple[Column, ...], str]:
    """What a step writes, and why that is not known, if it is not."""
    names = step.columns or tables.get(step.writes, ())
    tree = sqlglot.parse_one(step.sql, dialect="duckdb")
    try:
        rows = rows_of(tree, step, tables)
        if rows.is_open or len(rows.columns) != len(names):
            raise Unclear(f"it gives other columns than {step.writes} has")
    except Unclear as unclear:
        everything = frozenset(
            (table, name) for table in step.reads for name in tables.get(table, ())
        )
        rows = Rows(columns=tuple((name, everything) for name in names))
        return tuple(column(name, each, known) for name, (_, each) in named_as(names, rows)), str(
            unclear
        )
    return tuple(
        column(name, sources, known, copied_from(tree, called, tables))
        for name, (called, sources) in named_as(names, rows)
    ), ""


def named_as(names: Sequence[str], rows: Rows) -> list[tuple[str, tuple[str, Fields]]]:
    """The columns of a query beside those that they fill."""
    return list(zip(names, rows.columns, strict=True))


def column(
    name: str,
    sources: Fields,
    known: Mapping[tuple[str, str], Fields],
    copy: tuple[str, str] | None = None,
) -> Column:
    """A column with what landed of it."""
    origins = union(*(known.get(each, frozenset()) for each in sources))
    return Column(name=name, origins=origins, copy=copy)


def rows_of(tree: exp.Expr, step: Step, tables: Tables) -> Rows:
    """What a query gives of the tables that it reads. Raises `Unclear`."""
    flat = {name: name.replace(".", "__") for name in step.reads}
    for name in step.reads:
        if name not in tables:
            raise Unclear(f"{name} is no table of the warehouse")

    def flattened(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and node.db:
            alias = node.alias_or_name
            return exp.alias_(exp.to_table(flat[named(node)]), alias, table=True)
        return node

    inputs = {flat[name]: tables[name] for name in step.reads}
    found = sources_of(tree.copy().transform(flattened).sql(dialect="duckdb"), tables_of(inputs))
    back = {one: name for name, one in flat.items()}

    def full(fields: Fields) -> Fields:
        return frozenset((back[table], name) for table, name in fields)

    return Rows(
        columns=tuple((name, full(fields)) for name, fields in found.columns),
        decides=full(found.decides),
        is_open=found.is_open,
    )
