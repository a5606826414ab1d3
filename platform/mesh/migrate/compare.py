"""Compares a warehouse's reports with the mesh's, report by report and day by day.

    for page in compared(nights, ports, queries, (names, days), say):
        page.verdict

Not here: how a difference is explained (`ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

import sqlglot

from mesh.contract.names import to_kebab
from mesh.errors import WrongUse
from mesh.migrate.bench import Bench, Ports
from mesh.migrate.causes import Cause, load_causes, tables_of
from mesh.migrate.ledger import Ledger, Page, Report
from mesh.migrate.nights import Nights
from mesh.query.files import QUERIES, NamedQuery

__all__ = ["ALL", "bench_of", "compared", "reports_of"]

# More rows than any report of a day has.
ALL = 1_000_000_000
# The parameter of a report's query, and the column of its result that is not needed in the key.
DAY = "day"


def reports_of(queries: Iterable[NamedQuery], names: Sequence[str]) -> tuple[Report, ...]:
    """The mesh's queries of the warehouse's reports. Raises `WrongUse` where one is missing."""
    known = {each.name: each for each in queries}
    found = []
    for name in names:
        query = known.get(to_kebab(name))
        if query is None:
            raise WrongUse(f"there is no query of the report {name}: write one in {QUERIES}")
        key = tuple(each.name for each in query.result.key_fields if each.name != DAY)
        tree = sqlglot.parse_one(query.sql, dialect="duckdb")
        found.append(Report(name=name, sql=query.sql, query=tree, key=key))
    return tuple(found)


def bench_of(
    nights: Nights, ports: Ports, reports: Sequence[Report]
) -> tuple[Bench, tuple[Cause, ...]]:
    """A bench with all that the reports are made of, and the causes of which there is evidence."""
    folder = nights.folder
    causes = load_causes(folder)
    bench = Bench()
    bench.put_ports(ports, tables_of(each.query for each in reports))
    bench.put_sent(folder, nights.arrived())
    bench.put_runs(nights.runs())
    return bench, bench.prepare(folder, causes)


def compared(
    nights: Nights,
    ports: Ports,
    queries: Iterable[NamedQuery],
    asked: tuple[Sequence[str], Sequence[date]],
    say: Callable[[str], None],
) -> Iterator[Page]:
    """Compare reports, all where none is named, on days. Raises `WrongUse` for an unknown one."""
    names, days = asked
    every = reports_of(queries, tuple(nights.reports))
    unknown = set(names) - {each.name for each in every}
    if unknown:
        raise WrongUse(
            f"there is no report {min(unknown)!r}: there are {', '.join(nights.reports)}"
        )
    say("fetching what the reports are made of")
    bench, causes = bench_of(nights, ports, every)
    with bench:
        ledger = Ledger(bench, causes)
        for report in [each for each in every if not names or each.name in names]:
            say(report.name)
            for day in days:
                _, old = nights.report(report.name, day, ALL)
                yield ledger.page(report, day, old, ports.ask(report.sql, day))
