"""The call center without a broker, with a clock of its own, for tests of what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mesh.contract.model import Field
from mesh.contract.project import load_project
from mesh.product.engine import Engine
from mesh.product.plan import Plan, plan_product
from mesh.product.retention import Retention
from mesh.product.storage import Storage
from tests.arrivals import AT, Registered, arrival
from tests.repository import ROOT

__all__ = ["DAY", "TOPIC", "Product", "openings"]

DAY = timedelta(days=1)
TOPIC = "priv.customer-service.call-center.finished-calls.v1"


class Product:
    """The call center with a storage, an engine and a clock of its own."""

    def __init__(self, plan: Plan, path: Path) -> None:
        self.plan, self.path, self.now = plan, path, AT
        self.offsets: dict[int, int] = {}
        self.open()

    def open(self) -> None:
        self.storage = Storage.open(self.path / "storage.duckdb", self.plan.tables)
        self.engine = Engine(self.plan, self.storage, Registered())
        self.engine.retention = Retention(self.plan, self.storage, lambda: self.now)

    def restart(self) -> None:
        self.storage.close()
        self.open()

    def take(
        self, count: int, at: datetime, gone: tuple[int, ...] = (), partition: int = 0
    ) -> list[dict[str, Any]]:
        """Take in so many calls and tombstones that come *at* a time; the messages said."""
        self.now = max(self.now, at)
        offset = self.offsets.get(partition, 0)
        came = arrival(self.plan, [1] * count, gone, offset=offset, partition=partition, at=at)
        self.offsets[partition] = offset + came.causes.num_rows
        (batch,) = self.engine.take_in([came], {TOPIC: {partition: self.offsets[partition]}})
        return batch.outbox.to_pylist()

    def prune(self, now: datetime) -> None:
        self.now = now
        self.engine.retention.prune_now()

    def kept(self, table: str = "input.finished_calls") -> list[int]:
        """The offsets of the rows in a table."""
        rows = self.storage.connection.execute(f"select _offset from {table} order by all")
        return [offset for (offset,) in rows.fetchall()]


@contextmanager
def openings(folder: Path) -> Iterator[Callable[..., Product]]:
    """What opens the call center with a port's `keep`, an output's retention, *more* fields in."""
    products: list[Product] = []

    def open_(keep: str, retention: timedelta | None = 30 * DAY, *more: Field) -> Product:
        plan = plan_product(load_project(ROOT), "call-center")
        contract = plan.inputs[0].contract
        contract = replace(contract, fields=(*contract.fields, *more))
        source = replace(plan.inputs[0], contract=contract, keep=keep)
        output = plan.events[0]
        ms = None if retention is None else int(retention.total_seconds() * 1000)
        port = replace(output.port, contract=replace(output.contract, retention_ms=ms))
        output = replace(output, source=source, port=port)
        plan = replace(plan, inputs=(source,), events=(output,))
        products.append(Product(plan, folder / f"storage-{len(products)}"))
        return products[-1]

    yield open_
    for each in products:
        each.storage.close()
