"""One batch of a product: what arrived becomes rows and messages in one transaction.

The DuckDB half of exactly-once. Not here: Kafka (`inputs`, `relay`) and the loop (`runtime`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from mesh.backbone.registry import Registry
from mesh.contract.faults import Fault
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema
from mesh.errors import BackboneError, InvalidFile
from mesh.product.erasure import erase
from mesh.product.intake import Arrival, Checker
from mesh.product.outbox import REJECTED_SCHEMA, Publisher, Rejection, Rejector, no_messages
from mesh.product.plan import Output, Plan
from mesh.product.relay import Batch, Offsets
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["Engine"]


class Engine:
    """Takes batches into a storage and says what is to be published."""

    def __init__(self, plan: Plan, storage: Storage, registry: Registry) -> None:
        self._plan = plan
        self._storage = storage
        self.checker = Checker()
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
        with self._storage.transaction():
            messages = [no_messages()]
            for arrival in arrivals:
                messages += self._take_in(arrival)
            outbox = no_messages() if is_muted else pa.concat_tables(messages)
            batch = self._storage.save(outbox.combine_chunks(), offsets)
        self._storage.committed(batch)
        return batch

    def _take_in(self, arrival: Arrival) -> list[pa.Table]:
        """The messages that follow from one port's arrival, its deletions last."""
        source = arrival.source
        self._storage.insert("input", source.name, with_origin(arrival.rows, arrival.causes))
        messages = [self._reject(source.rejected_topic, source.contract.id, arrival.rejections)]
        outputs = self._plan.outputs_of(source)
        for output in outputs:
            messages += self._output(output, arrival)
        if arrival.deletions:
            pairs = [(each, self._publishers[each.contract.id]) for each in outputs]
            messages += erase(self._storage, arrival, pairs)
        return messages

    def _output(self, output: Output, arrival: Arrival) -> list[pa.Table]:
        """Run one port's query over what arrived; its messages and its rejections."""
        contract = output.contract
        made = output.query.run(self._storage.connection, arrival.rows)
        if CAUSE not in made.column_names:
            problem, remedy = f"its result has no {CAUSE}", f"select {CAUSE} along"
            path = output.query.path
            raise InvalidFile([Fault(path=path, line=0, problem=problem, remedy=remedy)])
        # A fixed order, so that ids do not depend on how DuckDB cut the work.
        keys = [(each.name, "ascending") for each in contract.key_fields]
        made = made.sort_by([(CAUSE, "ascending"), *keys])
        rows, violations = self.checker.check(made, contract)
        self._storage.insert("main", contract.name, with_origin(rows, arrival.causes))
        rejections = []
        for each in violations:
            row = made.slice(each.row, 1).to_pylist()[0]
            origin = arrival.causes.slice(row.pop(CAUSE), 1).to_pylist()[0]
            rejections.append(
                Rejection(
                    topic=origin["topic"],
                    partition=origin["partition"],
                    offset=origin["offset"],
                    key=None,
                    value=json.dumps(row, default=str, ensure_ascii=False).encode(),
                    field=each.field,
                    rule=each.rule,
                    reason=each.reason,
                )
            )
        published = self._publishers[contract.id].messages(rows, arrival.causes)
        return [published, self._reject(contract.rejected_topic, contract.id, rejections)]

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
