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
from mesh.backbone.keys import keys
from mesh.backbone.registry import Registry
from mesh.backbone.wire import HEADER_BYTES, Unreadable
from mesh.contract.model import Contract
from mesh.contract.rules import Violation, check, fit
from mesh.contract.types import arrow_schema
from mesh.errors import BackboneError, Refused, Unreachable
from mesh.product.causes import causes_of
from mesh.product.duck import connect_memory
from mesh.product.payloads import KEY, MESSAGE, Deletion, Group, deletions_in, groups_in
from mesh.product.plan import Input, Plan
from mesh.product.planned import Planned
from mesh.product.rejection import Fault, Rejection, of_messages
from mesh.product.retry import Ask
from mesh.product.state_input import names_no_row
from mesh.product.transform import CAUSE

__all__ = ["Arrival", "Checker", "Deletion", "Intake", "intakes_of"]

SCHEMA, IDENTIFIER = "schema", "identifier"


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
        # For queries of rows that are not stored yet, too.
        self.planned = Planned(self._connection)

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
        with self.planned.holding(relation, good.append_column("_row", kept)):
            broken = check(self.planned, relation, contract)
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

    def __init__(
        self, source: Input, registry: Registry, checker: Checker, *, is_traced: bool = True
    ) -> None:
        """Read messages of *source*, which name the trace of each row only if it *is_traced*."""
        self.source, self._is_traced = source, is_traced
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
        found = pa.array([message.key() for message in messages], pa.binary())
        values = pa.array([message.value() for message in messages], pa.binary())
        deletions = deletions_in(found, values, faults)
        tables = [self._decoded(group, faults) for group in groups_in(found, values, faults)]
        arrived = pa.concat_tables([self._empty, *tables])
        if len(tables) > 1:
            arrived = arrived.sort_by(CAUSE)
        rows, violations = self._checker.check(arrived, self.source.contract)
        for each in violations:
            fault = Fault(field=each.field, rule=each.rule, reason=each.reason)
            faults.setdefault(arrived[CAUSE][each.row].as_py(), fault)
        rows = self._keyed(rows, found, faults)
        causes = causes_of(messages, is_traced=self._is_traced)
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
            rejections=tuple(of_messages(messages, causes, faults)),
        )

    def _keyed(self, rows: pa.Table, found: pa.Array, faults: dict[int, Fault]) -> pa.Table:
        """The rows whose message has their key; by another, no tombstone would find them."""
        contract = self.source.contract
        causes = rows[CAUSE].combine_chunks()
        same = pc.equal(found.take(causes), keys(rows.drop_columns([CAUSE]), contract))
        same = pc.fill_null(same, False)
        if pc.all(same, min_count=0).as_py():
            return rows
        names = ", ".join(each.name for each in contract.key_fields)
        fault = Fault(field=None, rule=KEY, reason=f"the message's key is not its row's {names}")
        faults.update(dict.fromkeys(causes.filter(pc.invert(same)).to_pylist(), fault))
        return rows.filter(same)

    def _decoded(self, group: Group, faults: dict[int, Fault]) -> pa.Table:
        """The rows of messages of one writer's schema; what is none goes to *faults*."""
        decoder = self._decoder(group.schema_id)
        if isinstance(decoder, Unreadable):
            unknown = Fault(field=None, rule=SCHEMA, reason=decoder.reason)
            faults.update(dict.fromkeys(group.places.tolist(), unknown))
            return self._empty
        decoded = decoder.decode(group.values, skip=HEADER_BYTES)
        for position, reason in decoded.bad:
            faults[int(group.places[position])] = Fault(field=None, rule=MESSAGE, reason=reason)
        if not decoded.good:
            return self._empty
        places = group.places[decoded.good] if decoded.bad else group.places
        rows = project(decoded.table, self.source.contract)
        if isinstance(rows, Unreadable):
            misfit = Fault(field=None, rule=SCHEMA, reason=rows.reason)
            faults.update(dict.fromkeys(places.tolist(), misfit))
            return self._empty
        return rows.append_column(CAUSE, pa.array(places, pa.int64()))

    def _decoder(self, schema_id: int) -> Decoder | Unreadable:
        """The decoder for the writer's schema, or why there is none."""
        if schema_id in self._decoders:
            return self._decoders[schema_id]
        try:
            schema = self._registry.schema(schema_id)
            if schema is None:
                return Unreadable(f"the registry knows no schema with id {schema_id}")
            self._decoders[schema_id] = Decoder(schema)
        except (Unreachable, Refused):
            raise
        except BackboneError as error:
            # What others have registered may be nothing that the mesh reads.
            return Unreadable(f"schema {schema_id} is not readable: {error}")
        return self._decoders[schema_id]


def intakes_of(plan: Plan, registry: Registry, checker: Checker) -> list[Intake]:
    """The readers of all inputs of *plan*.

    A message of an event port names the trace of what it comes from, one of a state port that of
    the newest of its batch.
    """
    return [
        Intake(each, registry, checker, is_traced=bool(plan.outputs_of(each)))
        for each in plan.inputs
    ]
