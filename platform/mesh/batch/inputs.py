"""The inputs of a product as they were at some offsets, as files: its topics, read once more.

    paths = input_files(plan, offsets, folder, …)

They are taken in as the product itself does it, into a storage that is gone afterwards: what it
rejected is rejected, what was erased is not there, what was replayed is. So they are read with
the product's own secret. Not here: what is made of them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa
from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.batch.export import GROUP_ROWS, schema_for
from mesh.batch.parquet import OFFSETS, write
from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.ports.snapshot import translated
from mesh.product.duck import quoted
from mesh.product.engine import Engine
from mesh.product.intake import Arrival, intakes_of
from mesh.product.plan import Plan
from mesh.product.position import Offsets, Position
from mesh.product.quarantine import Quarantine
from mesh.product.replay import judge, ranges_of
from mesh.product.rereading import Read, Rereading
from mesh.product.retry import by_topic
from mesh.product.storage import Storage

__all__ = ["input_files", "write_inputs"]


def input_files(
    plan: Plan,
    offsets: Offsets,
    folder: Path,
    *,
    endpoint: Endpoint,
    principal: Principal,
    report: Callable[[int], None] = lambda _: None,
) -> Mapping[str, Path]:
    """A file in *folder* of each input of *plan*, by its name in SQL, as all was before *offsets*.

    *report* is told how many messages are to be read still. Raises `StorageError` where topics
    have lost what state ports are made of.
    """
    contracts = [each.contract for each in plan.inputs]
    ranges = ranges_of(contracts, endpoint, principal)
    if missing := judge(plan, offsets, ranges).missing:
        raise StorageError(f"the inputs of {plan.product.id} are not whole: {'; '.join(missing)}")
    storage = Storage.open(folder / "inputs.duckdb", plan.tables)
    with Registry(endpoint) as registry, closing(storage):
        engine = Engine(plan, storage, registry)
        rereading = Rereading(
            plan,
            storage,
            engine,
            reading(plan, registry, engine),
            endpoint=endpoint,
            principal=principal,
            registry=registry,
        )
        position = Position(batch="", seq=0, offsets=offsets)
        engine.replays.remember(Quarantine(plan, endpoint, principal, registry), position)
        topics = {each.topic for each in contracts}
        ends = {topic: each for topic, each in offsets.items() if topic in topics}
        never, tell = threading.Event(), partial(told, report)
        rereading.muted(contracts, ends, never, tell)
        rereading.replayed(position, never, tell)
        return write_inputs(plan, storage, folder, offsets)


def reading(plan: Plan, registry: Registry, engine: Engine) -> Read:
    """What turns messages into rows, as the product does it."""
    intakes = by_topic(intakes_of(plan, registry, engine.checker))

    def read(drained: dict[str, list[Message]]) -> list[Arrival]:
        found = [intakes[topic].arrivals(each) for topic, each in drained.items()]
        return [arrival for each in found for arrival in each]

    return read


def told(report: Callable[[int], None], lag: int, _: str) -> None:
    """Say how much is left, and nothing of what a recovery would have to say."""
    report(lag)


def write_inputs(
    plan: Plan, storage: Storage, folder: Path, offsets: Offsets
) -> Mapping[str, Path]:
    """A file in *folder* of each table of inputs that *storage* has."""
    paths = {}
    noted = {OFFSETS: json.dumps(offsets).encode()}
    for name, contract in plan.kept.items():
        paths[name] = folder / f"{name}.parquet"
        with translated():
            write(paths[name], schema_for(contract), rows_in(storage, name, contract), noted)
    return paths


def rows_in(storage: Storage, name: str, contract: Contract) -> Iterator[pa.Table]:
    """The rows of an input's table, piece by piece."""
    schema = schema_for(contract)
    columns = ", ".join(map(quoted, schema.names))
    found = storage.connection.sql(f'select {columns} from "input".{quoted(name)}')
    for batch in found.to_arrow_reader(GROUP_ROWS):
        yield pa.Table.from_batches([batch]).cast(schema)
