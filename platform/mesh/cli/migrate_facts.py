"""What the gate of a report goes by, as the mesh says it now.

Verdicts and decisions are read from their topics, up to the end; rungs from the catalogue; readers
from the access service. Not here: what follows from them (`mesh.migrate.gate`), and how somebody
decides (`mesh.cli.migrate_decide`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mesh.cli.app import App
from mesh.cli.batch_inputs import reading
from mesh.cli.doors import answer
from mesh.cli.legacy import known_jobs, opened
from mesh.contract.access import ACCESS_SERVICE
from mesh.contract.catalogue import SERVICE
from mesh.contract.names import to_kebab
from mesh.errors import SettingsError, WrongUse

if TYPE_CHECKING:
    from mesh.contract.model import Contract, Product
    from mesh.migrate.decisions import Decision
    from mesh.migrate.gate import Facts
    from mesh.migrate.jobs import Job
    from mesh.migrate.verdict import Verdict
    from mesh.query.files import NamedQuery

__all__ = ["DECISIONS", "Migration"]

VERDICTS, DECISIONS = "verdicts", "made-decisions"


class Migration:
    """The reports of the warehouse, and the product that offers them. *seed* is the world's."""

    def __init__(self, app: App, seed: int) -> None:
        self.app, self.seed = app, seed

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """The warehouse's jobs."""
        return known_jobs()

    @cached_property
    def reports(self) -> Mapping[str, str]:
        """Each report by the name of its port, with its name in the warehouse."""
        from mesh.migrate.jobs import reports

        return {to_kebab(each): each for each in reports(self.jobs)}

    @cached_property
    def product(self) -> Product:
        """The product that offers all reports by day. Raises `SettingsError` for none."""
        for each in self.app.project.products.values():
            by_day = {port.name for port in each.outputs if port.contract.day_field is not None}
            if by_day >= self.reports.keys():
                return each
        raise SettingsError("no product publishes all of the warehouse's reports by day")

    @cached_property
    def queries(self) -> Mapping[str, NamedQuery]:
        """The named queries of the company, read once: what is told is of the text compared."""
        from mesh.query.files import shipped_in

        return {each.name: each for each in shipped_in(self.app.project)}

    def known(self, report: str) -> str:
        """A report by the name of its port, however it is written. Raises `WrongUse`."""
        name = to_kebab(report)
        if name not in self.reports:
            raise WrongUse(f"there is no report {report!r}: there are {', '.join(self.reports)}")
        return name

    def contract(self, report: str) -> Contract:
        """The contract of a report's port."""
        return self.app.project.contract(f"{self.product.id}.{report}")

    def query(self, report: str) -> NamedQuery:
        """What makes a report of the mesh's ports. Raises `WrongUse` where nothing does."""
        if report not in self.queries:
            raise WrongUse(f"the mesh has no query {report}: write company/queries/{report}.sql")
        return self.queries[report]

    def digest(self, report: str) -> str:
        """What readers agree to: the text of the query."""
        return sha256(self.query(report).sql.encode()).hexdigest()

    @cached_property
    def nights(self) -> tuple[date, date]:
        """The first and the last night of the warehouse. Raises `WrongUse` before the first."""
        from mesh.migrate.warehouse import find_warehouse

        first = find_warehouse().first_night
        with opened(self.app, self.seed) as warehouse:
            last = warehouse.next_night() - timedelta(days=1)
        if last < first:
            raise WrongUse("no night of the warehouse has run: `mesh legacy run --nights 7`")
        return first, last

    def told(self, port: str) -> list[dict[str, Any]]:
        """All that was told on an input port of the product's own."""
        rows: list[dict[str, Any]] = reading(self.app, self.product.id)(port).rows.to_pylist()
        return rows

    def decisions(self) -> tuple[Decision, ...]:
        """Every decision there is."""
        from mesh.migrate.decisions import decisions_of

        return decisions_of(self.told(DECISIONS))

    def owner(self, principal: str | None) -> str:
        """Who decides. Raises `Refused` where it is no owner of the product."""
        from mesh.errors import Refused

        owners = self.app.project.owners_of(self.product.id)
        found = principal or self.app.settings.principal or next(iter(owners), "")
        if found not in owners:
            raise Refused(
                f"{found} does not own {self.product.id}: {', '.join(owners)} decides on reports"
            )
        return found

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """What came of every comparison."""
        return self.told(VERDICTS)

    def readers(self, principal: str) -> Mapping[str, frozenset[str]]:
        """Who is granted each report now, but for its owners; asked as *principal*."""
        from mesh.cli.access import login

        url = f"{self.app.address(ACCESS_SERVICE)}/access"
        accesses: Any = answer("GET", url, headers=login(self.app, principal))
        owners = self.app.project.owners_of(self.product.id)
        granted = [each for each in accesses if each["state"] == "granted"]
        return {
            report: frozenset(
                each["principal"]
                for each in granted
                if each["port"] == self.contract(report).id and each["principal"] not in owners
            )
            for report in self.reports
        }

    @cached_property
    def rungs(self) -> Mapping[str, str | None]:
        """Where every product stands now, as the catalogue has seen it."""
        from mesh.control.registering import ask_catalogue

        found = ask_catalogue("GET", f"{self.app.address(SERVICE)}/ladder")
        return {each["id"]: each["rung"] for each in found["products"]}

    @cached_property
    def faults(self) -> frozenset[str]:
        """The causes that blame the mesh."""
        from mesh.migrate.causes import load_causes
        from mesh.migrate.warehouse import find_warehouse

        causes = load_causes(find_warehouse().folder)
        return frozenset(each.name for each in causes if each.is_ours)

    def read_by(self, report: str) -> tuple[str, ...]:
        """The products whose ports a report's query reads."""
        from mesh.migrate.sources import products_in

        return products_in(self.query(report).sql, self.app.project)

    def facts(self, report: str, decisions: Iterable[Decision], readers: frozenset[str]) -> Facts:
        """All that the gate goes by."""
        from mesh.migrate.decisions import agreed
        from mesh.migrate.gate import Facts, blamed, newest

        compared = newest(self.verdicts, report, self.digest(report))
        return Facts(
            report=report,
            last_night=self.nights[1],
            unexplained={day: each["unexplained"] for day, each in compared.items()},
            ours={day: blamed(each, self.faults) for day, each in compared.items()},
            rungs={each: self.rungs.get(each) for each in self.read_by(report)},
            readers=readers,
            agreed=agreed(decisions, report, self.digest(report)),
        )

    def tell(self, verdicts: Iterable[Verdict]) -> None:
        """Tell what came of a comparison, with the text of the query that it was made with."""
        rows = []
        for each in verdicts:
            report = to_kebab(each.report)
            causes = [{"cause": cause, "rows": count} for cause, count in each.causes.items()]
            more = {"causes": causes, "offsets": json.dumps(each.offsets), "report": report}
            rows.append({**asdict(each), **more, "digest": self.digest(report)})
        self.announce(VERDICTS, rows)

    def announce(self, port: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Write rows to an input port of the product's own, each key once."""
        import pyarrow as pa

        from mesh.contract.types import arrow_schema
        from mesh.wiring.runs import announce_once, own_contract

        contract = own_contract(self.app.project, self.product, port)
        table = pa.Table.from_pylist(list(rows), arrow_schema(contract))
        announce_once(self.app.settings, self.app.home, contract, table)
