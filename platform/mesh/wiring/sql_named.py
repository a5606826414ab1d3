"""Named queries at the SQL access point: who may ask which, and what is asked of the desk then.

The service has the texts; whoever asks says a name and values. Not here: HTTP (`query_door`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.names import listed, nearest
from mesh.contract.people import Person
from mesh.contract.types import duckdb_columns, duckdb_type
from mesh.errors import Refused
from mesh.ports.refusals import NotThere
from mesh.query.files import NamedQuery
from mesh.query.values import values_for
from mesh.sql.asked import Asked
from mesh.sql.promise import Promise

__all__ = ["NOTHING", "Named", "promise_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The *queries* by name, and the *people* of whom some are limited to them."""

    queries: Mapping[str, NamedQuery]
    people: Mapping[str, Person]

    def may_ask(self, asked: Asked) -> None:
        """Raise `Refused` for what whoever is limited to named queries may not ask."""
        person = self.people.get(asked.principal)
        if person is None or not person.is_limited:
            return
        promise = asked.promise
        if promise is None or not person.may_ask(promise.name, promise.version):
            raise Refused(self._refusal(person))

    def allowed(self, principal: str) -> Sequence[NamedQuery]:
        """The queries that a principal may ask; the catalogue shows all."""
        person = self.people.get(principal)
        return [
            each
            # As a list, since another may be registered meanwhile.
            for each in [*self.queries.values()]
            if person is None or person.may_ask(each.name, each.version)
        ]

    def query(self, principal: str, name: str) -> NamedQuery:
        """The query of this name. Raises `NotThere`, or `Refused` where it may not be asked.

        Whoever is limited is not told which others there are.
        """
        found, person = self.queries.get(name), self.people.get(principal)
        if person is not None and person.is_limited and found not in self.allowed(principal):
            raise Refused(self._refusal(person))
        if found is None:
            near = nearest(name, self.queries)
            hint = f"did you mean {near}?" if near else "`mesh query list` has all"
            raise NotThere(f"there is no query {name[:80]!r}: {hint}")
        return found

    def asked(
        self, principal: str, name: str, given: Mapping[str, object]
    ) -> tuple[str, dict[str, object], Promise]:
        """Text, values and promise of the query *name*."""
        query = self.query(principal, name)
        return query.sql, values_for(query, given), promise_of(query)

    def _refusal(self, person: Person) -> str:
        return f"{person.name} asks named queries alone, and of them {listed(person.queries)}"


NOTHING = Named(queries={}, people={})


def promise_of(query: NamedQuery) -> Promise:
    """What the answer of a query must be."""
    result = query.result
    return Promise(
        name=query.name,
        version=query.version,
        columns=duckdb_columns(result),
        required=tuple(each.name for each in result.fields if each.is_required),
        rules=tuple((each.name, each.expression, each.reason) for each in result.rules),
        key=tuple(each.name for each in result.key_fields),
        parameters=tuple((each.name, duckdb_type(each.type)) for each in query.parameters),
    )
