"""Every state port of a project, run on random messages that its inputs' contracts allow.

The messages go the whole way without a broker: read by `Intake`, taken in by `Engine`, and what
is said is read from the outbox by another library. Values come from small pools, one for each
identifier (or field name), so that rows of different inputs meet and keys come again.
"""

from __future__ import annotations

import datetime as dt
import io
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
from hypothesis import strategies as st

from mesh.backbone.keys import keys
from mesh.backbone.wire import frame, unframe
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema, avro_schema
from mesh.product.engine import Engine
from mesh.product.intake import Intake
from mesh.product.plan import Input, Plan, StateOutput
from mesh.product.state_check import StateCheck
from mesh.product.storage import Storage
from tests.pools import pools, rows_of

__all__ = ["Run", "Sent", "by_key", "histories", "plain", "play"]

BEGIN_MS = 1_772_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as Kafka's client gives it: what `Intake` asks of one."""

    where: tuple[str, int, int]
    key_: bytes
    value_: bytes | None

    def __len__(self) -> int:
        return len(self.value_ or b"")

    def topic(self) -> str:
        return self.where[0]

    def partition(self) -> int:
        return self.where[1]

    def offset(self) -> int:
        return self.where[2]

    def key(self) -> bytes:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> None: ...

    def set_headers(self, _: object) -> None: ...

    def timestamp(self) -> tuple[int, int]:
        return (1, BEGIN_MS + self.where[2])


class Schemas:
    """A registry that registers whatever is looked for."""

    def __init__(self) -> None:
        self._known: dict[int, dict[str, object]] = {}

    def find(self, subject: str, schema: dict[str, object]) -> int:
        for number, known in self._known.items():
            if known == schema:
                return number
        self._known[len(self._known) + 1] = schema
        return len(self._known)

    def schema(self, number: int) -> dict[str, object] | None:
        return self._known.get(number)

    def encoded(self, contract: Contract, row: Mapping[str, Any]) -> bytes:
        schema = avro_schema(contract)
        payload = io.BytesIO()
        fastavro.schemaless_writer(payload, schema, row)
        return frame(self.find(contract.subject, schema), payload.getvalue())

    def decoded(self, value: bytes) -> Any:
        number, payload = unframe(value)
        return fastavro.schemaless_reader(io.BytesIO(payload), self._known[number], None)


def histories(plan: Plan) -> st.SearchStrategy[list[list[tuple[int, object, bool]]]]:
    """Batches of changes: which input, its row, and whether the row comes or its key goes."""

    def changes(drawn: Mapping[str, list[Any]]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.tuples(
                st.just(number),
                rows_of(each.contract, drawn),
                st.sampled_from([True, True, True, False]),
            )
            for number, each in enumerate(plan.inputs)
        )

    def batches(drawn: Mapping[str, list[Any]]) -> st.SearchStrategy[Any]:
        # None closes the storage and opens it again.
        batch = st.lists(changes(drawn), min_size=1, max_size=6)
        return st.lists(st.none() | batch | batch | batch, min_size=1, max_size=8)

    return pools([each.contract for each in plan.inputs]).flatmap(batches)


@dataclass(slots=True, kw_only=True)
class Run:
    """One product without a broker. *accepted* counts the rows that were taken in, by input."""

    plan: Plan
    path: Path
    registry: Schemas = field(default_factory=Schemas)
    accepted: Counter[str] = field(default_factory=Counter)
    published: dict[str, dict[bytes, Any]] = field(default_factory=dict)
    sent: dict[tuple[str, bytes], Any] = field(default_factory=dict)
    offsets: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def opened(self) -> Iterator[tuple[Storage, Engine]]:
        """The storage and what computes over it, as after a start."""
        storage = Storage.open(self.path, self.plan.tables)
        try:
            engine = Engine(self.plan, storage, self.registry)  # type: ignore[arg-type]
            if stale := engine.states.stale():
                for batch in engine.compare(stale, lambda _: []):
                    self.publish(batch.outbox)
            yield storage, engine
        finally:
            storage.close()

    def take_in(self, engine: Engine, changes: list[tuple[int, Any, bool]]) -> None:
        """One batch, in the order given; an input's messages in one piece, as they are drained."""
        arrivals, after = [], {}
        for number, source in enumerate(self.plan.inputs):
            mine = [(row, comes) for input_, row, comes in changes if input_ == number]
            if not mine:
                continue
            messages = [self.message(source, row, comes=comes) for row, comes in mine]
            intake = Intake(source, self.registry, engine.checker)  # type: ignore[arg-type]
            arrival = intake.read(messages)  # type: ignore[arg-type]
            self.accepted[source.contract.id] += arrival.rows.num_rows
            arrivals.append(arrival)
            after[source.contract.topic] = {0: self.offsets[source.contract.topic]}
        if arrivals:
            for batch in engine.take_in(arrivals, after):
                self.publish(batch.outbox)

    def message(self, source: Input, row: Any, *, comes: bool) -> Sent:
        """The message of a row that comes, or of its key that goes."""
        contract = source.contract
        table = pa.Table.from_pylist([row], arrow_schema(contract))
        key = keys(table, contract)[0].as_py()
        if contract.kind == "event":
            # The key of an event names it: who says it again says the same.
            row = self.sent.setdefault((contract.id, key), row)
        offset = self.offsets[contract.topic]
        self.offsets[contract.topic] += 1
        value = self.registry.encoded(contract, row) if comes else None
        return Sent(where=(contract.topic, 0, offset), key_=key, value_=value)

    def publish(self, outbox: pa.Table) -> None:
        """What a reader of each topic keeps; nothing may be said that it knows already."""
        topics = {each.contract.topic for each in self.plan.states}
        for each in outbox.to_pylist():
            if each["topic"] not in topics:
                continue
            known = self.published.setdefault(each["topic"], {})
            if each["value"] is None:
                assert each["key"] in known, "a row was deleted that was never said"
                del known[each["key"]]
                continue
            row = self.registry.decoded(each["value"])
            assert known.get(each["key"]) != row, "an equal row was said again"
            known[each["key"]] = row

    def check(self, storage: Storage, engine: Engine) -> None:
        """Table and topic of every state port are what its whole query says."""
        for port in self.plan.states:
            truth = self.truth(port, storage, engine)
            columns = ", ".join(f'"{each.name}"' for each in port.contract.fields)
            table = storage.connection.sql(f'select {columns} from main."{port.contract.name}"')
            found = by_key(table.to_arrow_table(), port.contract)
            assert found == truth, f"{port.contract.id}: the table is not what the query says"
            said = self.published.get(port.contract.topic, {})
            told = {key: plain(row) for key, row in said.items()}
            assert told == truth, f"{port.contract.id}: the topic is not what the query says"

    def truth(self, port: StateOutput, storage: Storage, engine: Engine) -> dict[bytes, Any]:
        """The rows of the whole query that may be said."""
        columns = ", ".join(f'"{each.name}"' for each in port.contract.fields)
        whole = storage.connection.sql(f"select {columns} from ({port.query.sql}\n) q")
        known = next(each for each in engine.states._ports if each.output is port)
        check = StateCheck(port.contract, engine.checker, known.publisher)
        rows, _ = check(whole.to_arrow_table())
        return by_key(rows, port.contract)


def by_key(table: pa.Table, contract: Contract) -> dict[bytes, Any]:
    """Rows as plain values by the key of their message."""
    rows = table.cast(arrow_schema(contract))
    return dict(zip(keys(rows, contract).to_pylist(), map(plain, rows.to_pylist()), strict=True))


def plain(value: Any) -> Any:
    """A value as both libraries give it."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, UUID):
        return str(value)
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value


def play(
    plan: Plan, history: list[list[Any] | None], folder: Path, check: Any = Run.check
) -> Counter[str]:
    """Run *history* and *check* after every batch; how many rows each input has taken in."""
    shutil.rmtree(folder, ignore_errors=True)
    run = Run(plan=plan, path=folder / "storage.duckdb")
    pieces: list[list[Any]] = [[]]
    for batch in history:
        if batch is None:
            pieces.append([])
        else:
            pieces[-1].append(batch)
    for piece in pieces:
        with run.opened() as (storage, engine):
            for batch in piece:
                run.take_in(engine, batch)
                check(run, storage, engine)
            check(run, storage, engine)
    return run.accepted
