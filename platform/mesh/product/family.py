"""An input port that stands for all accepted relation ports, whoever's they are.

Each is an input of its own at Kafka, a member of the family, and all fill one table: a row a
statement, with the relation it is about, who states it, and the message that says so. A member
that breaks its relation, or the form of its identifiers, is rejected like any other row.

Not here: finding members while a product runs (`family_watch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mesh.contract.field_type import FieldType, Kind
from mesh.contract.identifiers import Identifier
from mesh.contract.links import LINK_FIELDS
from mesh.contract.model import Contract, Field, InputPort, Product, Relation
from mesh.contract.project import Project
from mesh.contract.standards import why_not_normal
from mesh.contract.types import arrow_schema
from mesh.product.transform import CAUSE

__all__ = ["Family", "Member", "Misfit", "find_family", "members_of"]

# What a statement's row says beside the link: about which relation, whose, and by which message.
FIELDS: tuple[tuple[str, Kind], ...] = (
    ("relation", "string"),
    ("from_type", "string"),
    ("to_type", "string"),
    ("cardinality", "string"),
    ("authority", "string"),
    ("topic", "string"),
    ("partition", "int32"),
    ("offset", "int64"),
    ("recorded_at", "timestamp"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The one table of all members. *name* is what SQL calls it."""

    name: str
    table: Contract
    rejected_topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A statement whose identifier is none: of which message, the field, and why."""

    cause: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One relation port of a family, with the identifiers that it joins, if they are known."""

    table: Contract
    relation: Relation
    contract: Contract
    ends: tuple[Identifier | None, Identifier | None]

    def take(self, rows: pa.Table, causes: pa.Table) -> tuple[pa.Table, list[Misfit]]:
        """*rows* of the port (and `_cause`) as rows of the table, and those that are none."""
        misfits = list(self._misfits(rows))
        if misfits:
            wrong = pa.array([each.cause for each in misfits], pa.int64())
            rows = rows.filter(pc.invert(pc.is_in(rows[CAUSE], wrong)))
        return self._widened(rows, causes), misfits

    def _misfits(self, rows: pa.Table) -> Iterator[Misfit]:
        """The statements with an identifier that is no value of its type, or not normal."""
        causes = rows[CAUSE]
        for field, identifier in zip(("from_id", "to_id"), self.ends, strict=True):
            if identifier is None:
                continue
            # A batch names the same identifier many times.
            column = rows[field].combine_chunks().dictionary_encode()
            reasons = [why_not_normal(identifier, each) for each in column.dictionary.to_pylist()]
            if not any(reasons):
                continue
            for position, index in enumerate(column.indices.to_pylist()):
                if (reason := reasons[index]) is not None:
                    yield Misfit(cause=causes[position].as_py(), field=field, reason=reason)

    def _widened(self, rows: pa.Table, causes: pa.Table) -> pa.Table:
        cause = rows[CAUSE].combine_chunks()
        origin = causes.take(cause)
        same = {
            "relation": self.relation.name,
            "from_type": self.relation.from_type,
            "to_type": self.relation.to_type,
            "cardinality": self.relation.cardinality,
            "authority": self.contract.product,
            "topic": self.contract.topic,
        }
        columns = {name: pa.repeat(pa.scalar(value), len(cause)) for name, value in same.items()}
        columns |= {
            "partition": origin["partition"],
            "offset": origin["offset"],
            "recorded_at": origin["time"],
        }
        columns |= {name: rows[name] for name, _, _ in LINK_FIELDS}
        schema = arrow_schema(self.table)
        whole = pa.table([columns[name] for name in schema.names], schema=schema)
        return whole.append_column(CAUSE, cause)


def find_family(product: Product, port: InputPort) -> Family:
    """The family that *port* stands for."""
    name = port.name.replace("-", "_")
    fields = [(each, kind, True) for each, kind in FIELDS] + list(LINK_FIELDS)
    # Within a topic a statement's id is its key; nobody keeps others from using it too.
    keys = {"topic": 1, "statement_id": 2}
    table = Contract(
        id=f"{product.id}.{port.name}",
        version="1.0.0",
        name=name,
        domain=product.domain,
        product=product.id,
        description="One row per statement about a link.",
        topic=f"priv.{product.domain}.{product.id}.{port.name}.v1",
        kind="event",
        fields=tuple(
            Field(
                name=each,
                type=FieldType(kind=kind),
                is_required=needed,
                key_position=keys.get(each, 0),
            )
            for each, kind, needed in fields
        ),
        rules=(),
        partitions=1,
        retention_ms=None,
        purpose=None,
        access="ask",
        path=product.folder,
        document={},
    )
    return Family(
        name=name,
        table=table,
        rejected_topic=f"priv.{product.domain}.{product.id}.{port.name}.rejected.v1",
    )


def members_of(family: Family, project: Project) -> tuple[Member, ...]:
    """The accepted relation ports of *project*, in order of their topics."""
    found = []
    for contract in sorted(project.relations, key=lambda each: each.topic):
        relation = contract.relation
        assert relation is not None  # noqa: S101 - what makes it a relation, for the type checker
        ends = (
            project.identifiers.get(relation.from_type),
            project.identifiers.get(relation.to_type),
        )
        found.append(Member(table=family.table, relation=relation, contract=contract, ends=ends))
    return tuple(found)
