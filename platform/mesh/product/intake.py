"""From messages to rows: read with the writer's schema, projected, checked, or rejected.

Whatever cannot become a row leaves as a `Rejection` with its raw bytes and the reason; it
never stops the next message. An unreachable registry is no reason to reject: it raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

from mesh.backbone.avro import Decoder, project
from mesh.backbone.keys import is_text, keys
from mesh.backbone.registry import Registry
from mesh.backbone.wire import Unreadable, unframe
from mesh.contract.model import Contract
from mesh.contract.rules import Violation, check, fit
from mesh.contract.types import arrow_schema
from mesh.errors import BackboneError, Unreachable
from mesh.product.causes import causes_of
from mesh.product.duck import connect_memory
from mesh.product.outbox import LARGEST_MESSAGE
from mesh.product.plan import Input
from mesh.product.planned import Planned
from mesh.product.rejection import Fault, Rejection, of_messages
from mesh.product.retry import Ask
from mesh.product.state_input import names_no_row
from mesh.product.transform import CAUSE

__all__ = ["Arrival", "Checker", "Deletion", "Intake"]

MESSAGE, KEY, SCHEMA, IDENTIFIER = "message", "key", "schema", "identifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A tombstone: the row with *key*, if it came before message *cause*, is to go."""

    cause: int
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A batch of one input port.

    *rows* have the contract's fields and `_cause`, an index into *causes*; sorted by it.
    Of a replay there is an ask a cause; *only* is the one output port that it is for.
    """

    source: Input
    rows: pa.Table
    causes: pa.Table
    deletions: tuple[Deletion, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    asks: tuple[Ask, ...] = ()
    only: str | None = None


class Checker:
    """Checks rows against a contract: types and nulls first, then its rules."""

    def __init__(self) -> None:
        self._connection = connect_memory()
        self._planned = Planned(self._connection)

    def check(self, rows: pa.Table, contract: Contract) -> tuple[pa.Table, list[Violation]]:
        """The rows that keep *contract*, in its types, and why the others do not.

        A violation's `row` is the position in *rows*; `_cause` is kept beside the fields.
        """
        causes = rows[CAUSE]
        fitted = fit(rows.drop_columns([CAUSE]), contract)
        # A range of Python's integers takes longer to convert than all rows to check.
        kept = pa.array(np.asarray(fitted.good, np.int64))
        good = fitted.table.append_column(CAUSE, causes.take(kept) if fitted.violations else causes)
        if not contract.rules or not good.num_rows:
            return good, fitted.violations
        relation = f"_checked {contract.id}"
        with self._planned.holding(relation, good.append_column("_row", kept)):
            broken = check(self._planned, relation, contract)
        if not broken:
            return good, fitted.violations
        bad = pa.array(sorted({each.row for each in broken}), pa.int64())
        return good.filter(pc.invert(pc.is_in(kept, bad))), [*fitted.violations, *broken]

    def readable(
        self, deletions: list[Deletion], contract: Contract, faults: dict[int, Fault]
    ) -> tuple[Deletion, ...]:
        """The deletions whose key can be one of *contract*; of state, the others are faults."""
        if contract.kind != "state":
            return tuple(deletions)
        wrong = set(names_no_row(self._connection, contract, [each.key for each in deletions]))
        names = ", ".join(each.name for each in contract.key_fields)
        fault = Fault(field=None, rule=KEY, reason=f"a tombstone's key is no {names}")
        faults.update({deletions[number].cause: fault for number in wrong})
        return tuple(each for number, each in enumerate(deletions) if number not in wrong)


class Intake:
    """Reads the messages of one input port."""

    def __init__(self, source: Input, registry: Registry, checker: Checker) -> None:
        self.source = source
        self._registry = registry
        self._checker = checker
        self._empty = (
            arrow_schema(source.contract).append(pa.field(CAUSE, pa.int64())).empty_table()
        )
        self._decoders: dict[int, Decoder] = {}

    def arrivals(self, messages: Sequence[Message]) -> list[Arrival]:
        """What *messages* of one topic become; here one arrival."""
        return [self.read(messages)]

    def read(self, messages: Sequence[Message]) -> Arrival:
        """Turn *messages*, in order of their offsets, into rows.

        Raises `Unreachable` while a schema is not known here and the registry is away.
        """
        faults: dict[int, Fault] = {}
        deletions, groups = sorted_out(messages, faults)
        tables = [self._decoded(schema_id, group, faults) for schema_id, group in groups.items()]
        arrived = pa.concat_tables([self._empty, *tables])
        if len(tables) > 1:
            arrived = arrived.sort_by(CAUSE)
        rows, violations = self._checker.check(arrived, self.source.contract)
        for each in violations:
            fault = Fault(field=each.field, rule=each.rule, reason=each.reason)
            faults.setdefault(arrived[CAUSE][each.row].as_py(), fault)
        rows, causes = self._keyed(rows, messages, faults), causes_of(messages)
        if self.source.member is not None:
            rows, misfits = self.source.member.take(rows, causes)
            for misfit in misfits:
                fault = Fault(field=misfit.field, rule=IDENTIFIER, reason=misfit.reason)
                faults[misfit.cause] = fault
        return Arrival(
            source=self.source,
            rows=rows,
            causes=causes,
            deletions=self._checker.readable(deletions, self.source.contract, faults),
            rejections=tuple(of_messages(messages, faults)),
        )

    def _keyed(
        self, rows: pa.Table, messages: Sequence[Message], faults: dict[int, Fault]
    ) -> pa.Table:
        """The rows whose message has their key; by another, no tombstone would find them."""
        contract = self.source.contract
        found = pa.array([message.key() for message in messages], pa.binary())
        causes = rows[CAUSE].combine_chunks()
        same = pc.equal(found.take(causes), keys(rows.drop_columns([CAUSE]), contract))
        same = pc.fill_null(same, False)
        if pc.all(same, min_count=0).as_py():
            return rows
        names = ", ".join(each.name for each in contract.key_fields)
        fault = Fault(field=None, rule=KEY, reason=f"the message's key is not its row's {names}")
        faults.update(dict.fromkeys(causes.filter(pc.invert(same)).to_pylist(), fault))
        return rows.filter(same)

    def _decoded(
        self, schema_id: int, group: list[tuple[int, bytes]], faults: dict[int, Fault]
    ) -> pa.Table:
        """The rows of messages of one writer's schema; what is none goes to *faults*."""
        decoder = self._decoder(schema_id)
        if isinstance(decoder, Unreadable):
            reason = decoder.reason
            unknown = Fault(field=None, rule=SCHEMA, reason=reason)
            faults.update({index: unknown for index, _ in group})
            return self._empty
        decoded = decoder.decode([payload for _, payload in group])
        for position, reason in decoded.bad:
            faults[group[position][0]] = Fault(field=None, rule=MESSAGE, reason=reason)
        if not decoded.good:
            return self._empty
        rows = project(decoded.table, self.source.contract)
        if isinstance(rows, Unreadable):
            misfit = Fault(field=None, rule=SCHEMA, reason=rows.reason)
            faults.update({group[position][0]: misfit for position in decoded.good})
            return self._empty
        causes = pa.array([group[position][0] for position in decoded.good], pa.int64())
        return rows.append_column(CAUSE, causes)

    def _decoder(self, schema_id: int) -> Decoder | Unreadable:
        """The decoder for the writer's schema, or why there is none."""
        if schema_id in self._decoders:
            return self._decoders[schema_id]
        try:
            schema = self._registry.schema(schema_id)
            if schema is None:
                return Unreadable(f"the registry knows no schema with id {schema_id}")
            self._decoders[schema_id] = Decoder(schema)
        except Unreachable:
            raise
        except BackboneError as error:
            # What others have registered may be nothing that the mesh reads.
            return Unreadable(f"schema {schema_id} is not readable: {error}")
        return self._decoders[schema_id]


def sorted_out(
    messages: Sequence[Message], faults: dict[int, Fault]
) -> tuple[list[Deletion], dict[int, list[tuple[int, bytes]]]]:
    """Tombstones, and payloads by the schema that they name; what is neither goes to *faults*."""
    deletions: list[Deletion] = []
    groups: dict[int, list[tuple[int, bytes]]] = {}
    for index, message in enumerate(messages):
        value, key = message.value(), message.key()
        # A tombstone's length is 0, so neither it nor its message is tested for truth.
        if value is None:
            if key is not None and is_text(key):
                deletions.append(Deletion(cause=index, key=key))
            else:
                reason = "a tombstone must name its row by the message's key, as UTF-8 text"
                faults[index] = Fault(field=None, rule=KEY, reason=reason)
            continue
        if len(value) + len(key or b"") > LARGEST_MESSAGE:
            reason = f"the message is larger than {LARGEST_MESSAGE} bytes"
            faults[index] = Fault(field=None, rule="size", reason=reason)
            continue
        framed = unframe(value)
        if isinstance(framed, Unreadable):
            faults[index] = Fault(field=None, rule=MESSAGE, reason=framed.reason)
            continue
        schema_id, payload = framed
        groups.setdefault(schema_id, []).append((index, payload))
    return deletions, groups
