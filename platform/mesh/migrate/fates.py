"""By which rule a statement of a warehouse is kept, moved or cut.

    Judge(flow, owners).step(flow.statements[0]).fate      # "kept"

No rule knows the name of a job. Not here: of what a statement is made (`flow`), whose what landed
is (`domains`), and the reports (`plan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mesh.contract.columns import Ref
from mesh.contract.model import OutputPort
from mesh.migrate.domains import Owners
from mesh.migrate.flow import Flow, Statement

__all__ = ["REPORT", "RULES", "Fate", "Judge", "PlannedStep"]

REPORT = "report."
Fate = Literal["kept", "moved", "cut"]
RULES: tuple[tuple[Fate, str], ...] = (
    ("cut", "it only puts an identifier in place of another, or keeps such pairs without a time"),
    ("kept", "one product of one domain has all that it writes, in its SQL or as what it takes in"),
    ("moved", "all else, the reports themselves with it, goes into the report's query"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A statement and what becomes of it.

    *domains* own what it is made of. *ports* are those in which a kept one is found again, and
    *files* their SQL; *relations* are what is asked in place of one that is cut.
    """

    statement: Statement = field(repr=False)
    fate: Fate
    why: str
    domains: tuple[str, ...]
    ports: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    @property
    def job(self) -> str:
        """The job that it is a part of."""
        return self.statement.job.name

    @property
    def table(self) -> str:
        """The table that it fills."""
        return self.statement.writes


class Judge:
    """Says of each statement of a *flow* what becomes of it."""

    def __init__(self, flow: Flow, owners: Owners) -> None:
        self.flow, self.owners = flow, owners

    def step(self, statement: Statement) -> PlannedStep:
        """One statement, by the first rule that holds."""
        if statement.unknown:
            return self.moved(statement, statement.unknown)
        if statement.writes.startswith(REPORT):
            return self.moved(statement, "the report itself")
        return self.cut(statement) or self.kept(statement) or self.rest(statement)

    def cut(self, statement: Statement) -> PlannedStep | None:
        """What only translates an identifier."""
        made = [each for each in statement.columns if each.origins]
        types = self.owners.identifiers(frozenset().union(*(each.origins for each in made)))
        if len(made) > 1 and types:
            why = f"pairs of identifiers ({', '.join(sorted(types))}) without a time"
            return self.replaced(statement, why, [each.name for each in made])
        found = self.swapped(statement)
        if found is None:
            return None
        put, taken = found
        new = self.owners.identifiers(
            frozenset().union(*(each.origins for each in made if each.name in put))
        )
        why = f"{', '.join(sorted(new))} in place of {', '.join(sorted(taken))}, and nothing else"
        return self.replaced(statement, why, put)

    def swapped(self, statement: Statement) -> tuple[list[str], frozenset[str]] | None:
        """Which columns of a copied table are another's identifiers, and which they replace."""
        if any(each.copy is None for each in statement.columns):
            return None
        homes = {each.name: each.copy[0] for each in statement.columns if each.copy}
        counts = [*homes.values()]
        main = max(dict.fromkeys(counts), key=counts.count)
        put = [each for each in statement.columns if homes[each.name] != main]
        kept = {each.copy[1] for each in statement.columns if each.copy and each.copy[0] == main}
        left = [
            self.owners.identifiers(each.origins)
            for each in self.flow.columns(main)
            if each.copy and each.name not in kept
        ]
        taken = frozenset[str]().union(*left)
        is_swap = put and all(self.owners.identifiers(each.origins) for each in put)
        return ([each.name for each in put], taken) if is_swap and taken else None

    def replaced(self, statement: Statement, why: str, names: Sequence[str]) -> PlannedStep:
        """A cut statement with the relations that are made of the same identifiers."""
        origins = frozenset().union(
            *(each.origins for each in statement.columns if each.name in names)
        )
        wanted = self.owners.refs(origins)
        found = self.owners.relations(wanted) if wanted else ()
        return PlannedStep(
            statement=statement,
            fate="cut",
            why=why,
            domains=self.domains(statement),
            relations=tuple(each.id for each in found[:1]),
        )

    def kept(self, statement: Statement) -> PlannedStep | None:
        """What one product has, in a port's SQL or as what it takes in."""
        contracts = [self.owners.contract_of(each) for each in statement.landed]
        products = {each.product if each else None for each in contracts}
        if len(products) != 1 or None in products or contracts[0] is None:
            return None
        port = self.port_with(statement, contracts[0].product)
        if port is not None:
            ports = [port]
            if port.contract in self.owners.project.relations and not is_copy(statement):
                ports += [self.owners.ring] if self.owners.ring else []
            return PlannedStep(
                statement=statement,
                fate="kept",
                why="one port is made of all that it writes",
                domains=self.domains(statement),
                ports=tuple(each.contract.id for each in ports),
                files=tuple(self.relative(each.sql_path) for each in ports),
            )
        if len(contracts) == 1 and is_copy(statement):
            return PlannedStep(
                statement=statement,
                fate="kept",
                why="a copy of what the product takes in",
                domains=self.domains(statement),
                ports=(contracts[0].id,),
            )
        return None

    def port_with(self, statement: Statement, product: str) -> OutputPort | None:
        """The port of *product* that is made of all that a statement writes; the nearest one."""
        found = [
            port
            for port in self.owners.ports(product)
            if all(self.owners.has(port, each) for each in self.wanted(statement))
            # What is copied is kept message by message.
            and (port.contract.kind == "event" or not is_copy(statement))
        ]
        return min(found, key=self.owners.extra, default=None)

    def wanted(self, statement: Statement) -> list[frozenset[Ref]]:
        """Of which fields of products each column is made, but what the load itself says."""
        return [self.owners.refs(each.origins) for each in statement.columns if each.origins]

    def rest(self, statement: Statement) -> PlannedStep:
        """What neither a product has nor is cut."""
        contracts = [self.owners.contract_of(each) for each in statement.landed]
        names = {each.product for each in contracts if each}
        ports = [port for name in sorted(names) for port in self.owners.ports(name)]
        parts = {
            min(having, key=self.owners.extra).contract.id
            for each in self.wanted(statement)
            if (having := [port for port in ports if self.owners.has(port, each)])
        }
        why = f"it joins what {' and '.join(sorted(parts))} have"
        return self.moved(statement, why if len(parts) > 1 else "no port has all that it writes")

    def moved(self, statement: Statement, why: str) -> PlannedStep:
        """What goes into the report's query."""
        return PlannedStep(
            statement=statement, fate="moved", why=why, domains=self.domains(statement)
        )

    def domains(self, statement: Statement) -> tuple[str, ...]:
        """The domains that own what a statement is made of; `nobody` where no product has it."""
        found = [self.owners.contract_of(each) for each in statement.landed]
        return tuple(sorted({each.domain if each else "nobody" for each in found}))

    def relative(self, path: Path) -> str:
        """A file as it is called within the project."""
        return path.relative_to(self.owners.project.root).as_posix()


def is_copy(statement: Statement) -> bool:
    """Whether each column is one that landed, or says which load it was."""
    return all(each.copy in each.origins if each.origins else True for each in statement.columns)
