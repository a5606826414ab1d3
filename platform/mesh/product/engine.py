"""One batch of a product: what arrived becomes rows and messages in one transaction.

The DuckDB half of exactly-once. Not here: Kafka (`inputs`, `relay`) and the loop (`runtime`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema
from mesh.errors import BackboneError
from mesh.product.duck import connect_memory
from mesh.product.erasure import erase
from mesh.product.intake import Arrival, Checker
from mesh.product.outbox import (
    REJECTED_SCHEMA,
    Publisher,
    no_messages,
    too_large,
)
from mesh.product.plan import Output, Plan
from mesh.product.position import Batch, Offsets
from mesh.product.rejection import Rejection, Rejector, of_failures, of_size, refused
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["Engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What one port's query made of an arrival; *messages* are those of *rows*, in order."""

    output: Output
    rows: pa.Table
    messages: pa.Table
    rejections: Sequence[Rejection]


class Engine:
    """Takes batches into a storage and says what is to be published."""

    def __init__(self, plan: Plan, storage: Storage, registry: Registry) -> None:
        self._plan = plan
        self._storage = storage
        self.checker = Checker()
        self._memory = connect_memory()
        self._publishers = {
            each.contract.id: publisher(each.contract, registry) for each in plan.outputs
        }
        topics = [each.rejected_topic for each in plan.inputs]
        topics += [each.contract.rejected_topic for each in plan.outputs]
        self._rejectors = {topic: rejector(topic, registry) for topic in topics}

    def take_in(
        self, arrivals: Sequence[Arrival], offsets: Offsets, *, is_muted: bool = False
    ) -> Batch:
        """Commit *arrivals* with the *offsets* after them; the batch to publish.

        Muted, the same is done and nothing is said: it was published before.
        """
        made = [
            (arrival, [self._make(each, arrival) for each in self._plan.outputs_of(arrival.source)])
            for arrival in arrivals
        ]
        with self._storage.transaction():
            messages = [no_messages()]
            for arrival, results in made:
                messages += self._keep(arrival, results)
            outbox = no_messages() if is_muted else pa.concat_tables(messages)
            batch = self._storage.save(outbox.combine_chunks(), offsets)
        self._storage.committed(batch)
        return batch

    def _make(self, output: Output, arrival: Arrival) -> Made:
        """Run one port's query over what arrived, outside every transaction."""
        contract, causes = output.contract, arrival.causes
        found, failures = output.query.run(self._memory, arrival.rows)
        # A fixed order, so that ids do not depend on how DuckDB cut the work.
        keys = [(each.name, "ascending") for each in contract.key_fields]
        found = found.sort_by([(CAUSE, "ascending"), *keys])
        rows, violations = self.checker.check(found, contract)
        messages = self._publishers[contract.id].messages(rows, causes)
        rejections = [
            *refused([each.row for each in failures], causes, of_failures(failures)),
            *refused([found], causes, violations),
        ]
        large = too_large(messages)
        if pc.any(large, min_count=0).as_py():
            positions = pc.indices_nonzero(large).to_pylist()
            rejections += refused([rows], causes, of_size(positions))
            rows, messages = rows.filter(pc.invert(large)), messages.filter(pc.invert(large))
        return Made(output=output, rows=rows, messages=messages, rejections=rejections)

    def _keep(self, arrival: Arrival, made: Sequence[Made]) -> list[pa.Table]:
        """Write one port's arrival into the open transaction; the messages that follow."""
        source = arrival.source
        self._storage.insert("input", source.name, with_origin(arrival.rows, arrival.causes))
        messages = [self._reject(source.rejected_topic, source.contract.id, arrival.rejections)]
        said = []
        for each in made:
            contract = each.output.contract
            self._storage.insert("main", contract.name, with_origin(each.rows, arrival.causes))
            messages.append(self._reject(contract.rejected_topic, contract.id, each.rejections))
            said.append(each.messages.append_column(CAUSE, each.rows[CAUSE]))
        if arrival.deletions:
            outputs = [(each.output, self._publishers[each.output.contract.id]) for each in made]
            said += erase(self._storage, arrival, outputs)
            # A row that came after its tombstone must stay after it.
            said = [pa.concat_tables(said).sort_by(CAUSE)] if said else []
        return [*messages, *(each.drop_columns([CAUSE]) for each in said)]

    def _reject(self, topic: str, port: str, rejections: Sequence[Rejection]) -> pa.Table:
        """The messages for a port's rejected topic, counted."""
        if not rejections:
            return no_messages()
        self._storage.count_rejections(port, rejections)
        return self._rejectors[topic].messages(port, rejections)


def with_origin(rows: pa.Table, causes: pa.Table) -> pa.Table:
    """*rows* as they are kept: `_cause` replaced by partition and offset."""
    origin = causes.take(rows[CAUSE].combine_chunks())
    kept = rows.drop_columns([CAUSE])
    return kept.append_column("_partition", origin["partition"]).append_column(
        "_offset", origin["offset"]
    )


def publisher(contract: Contract, registry: Registry) -> Publisher:
    """The publisher of a port, with the id its schema is registered under."""
    schema = avro_schema(contract)
    return Publisher(contract, schema, registered(registry, contract.subject, schema))


def rejector(topic: str, registry: Registry) -> Rejector:
    """The rejector that writes *topic*."""
    return Rejector(topic, registered(registry, f"{topic}-value", REJECTED_SCHEMA))


def registered(registry: Registry, subject: str, schema: dict[str, object]) -> int:
    """The id of *schema*, which only the mesh's registrar may register."""
    schema_id = registry.find(subject, schema)
    if schema_id is None:
        raise BackboneError(
            f"the schema of {subject} is not registered as the contract has it now: "
            "`mesh up` registers it (or `mesh provision`, where the mesh runs in containers)"
        )
    return schema_id
