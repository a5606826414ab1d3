"""A project of one test's own on a shared backbone: its files, topics, secrets and storage.

    with open_workbench(backbone, source=Path("."), folder=tmp_path) as bench:
        bench.feed("call-center", calls)
        with bench.running("call-center") as runtime:
            bench.settle(runtime, len(calls))
        rows = bench.rows("call-center", "calls")

The copy differs from the source in its domain names only, and so in every topic's name: no
test sees another's topics.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from confluent_kafka import Message

from mesh.backbone.endpoint import Principal
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.control.provision import Provisioned, provision
from mesh.home import Home
from mesh.product.feed import Fed, Feed
from mesh.product.mapping import BadLine, FileBatch
from mesh.product.plan import plan_product
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.testing.backbone import Backbone
from mesh.testing.copies import copy_project
from mesh.testing.messages import decode, encode, read_all, send_all
from mesh.testing.projects import read_project

__all__ = ["Workbench", "open_workbench"]

SETTLE_TIMEOUT_S = 60.0


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Workbench:
    """One test's project on *backbone*."""

    backbone: Backbone
    root: Path
    home: Home
    registry: Registry

    def project(self) -> Project:
        """The project as its files are now, so that a test may edit them."""
        return read_project(self.root)

    def contract(self, contract_id: str) -> Contract:
        """A contract of the project."""
        return self.project().contract(contract_id)

    def principal(self, name: str) -> Principal:
        """A principal with its real secret."""
        return Principal(name=name, secret=self.home.secret(name))

    def provision(self) -> Provisioned:
        """Make principals, rights, topics and schemas; again after an edit."""
        return provision(
            self.project(),
            self.home,
            self.backbone.administrator(),
            replication=self.backbone.replication,
            report=lambda _: None,
        )

    def feed(self, product: str, table: pa.Table, port: str | None = None) -> Fed:
        """Send *table* (the staging contract's fields) as the product's system does.

        To the input port *port*, or to the first that a system writes.
        """
        return self.feed_batches(product, [FileBatch(table=table, bad=())], port)

    def feed_batches(
        self, product: str, batches: Sequence[FileBatch], port: str | None = None
    ) -> Fed:
        """Send batches, bad lines and all."""
        kept: list[BadLine] = []
        with self.feeding(product, port) as feed:
            return [Fed(), *feed.run(batches, kept.extend)][-1]

    @contextmanager
    def feeding(self, product: str, port: str | None = None) -> Iterator[Feed]:
        """The open feed of the product's system."""
        contract, system = self.staging(product, port)
        feed = Feed(
            contract,
            self.home.feed(contract.id),
            endpoint=self.backbone.endpoint,
            principal=system,
        )
        try:
            yield feed
        finally:
            feed.close()

    def staging(self, product: str, port: str | None = None) -> tuple[Contract, Principal]:
        """The contract of a staging topic of the product, and the system that writes it."""
        project = self.project()
        inputs = [each for each in project.product(product).inputs if each.system]
        chosen = next(each for each in inputs if port in (None, each.name))
        return project.input_contract(chosen), self.principal(str(chosen.system))

    def send(self, product: str, messages: Iterable[Mapping[str, Any]]) -> list[tuple[int, int]]:
        """Write raw messages (arguments of `Producer.produce`) as the product's system does.

        Returns the partition and offset of each.
        """
        contract, system = self.staging(product)
        return send_all(self.backbone.endpoint.client(system), contract.topic, messages)

    def encoded(self, contract: Contract, row: Mapping[str, Any]) -> bytes:
        """*row* as a value of *contract*'s topic, its rules unchecked."""
        return encode(self.registry, contract, row)

    def decoded(self, messages: Iterable[Message]) -> list[Any]:
        """The values of messages, read by their schema in the registry; None for tombstones."""
        values = [message.value() for message in messages]
        return [None if each is None else decode(self.registry, each) for each in values]

    def rows(self, product: str, port: str, schema: str = "main") -> list[dict[str, Any]]:
        """What the storage of a product that does not run holds of a port."""
        with duckdb.connect(str(self.home.storage(product)), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            table = connection.sql(f'select * from "{schema}"."{port}"').to_arrow_table()
        found: list[dict[str, Any]] = table.to_pylist()
        return found

    def environment(self) -> dict[str, str]:
        """The environment by which `python -m mesh …` works on this project."""
        others = {name: value for name, value in os.environ.items() if "MESH_" not in name}
        own = {"MESH_HOME": str(self.home.path), "MESH_PROJECT": str(self.root)}
        return {**others, **self.backbone.environment(), **own}

    @contextmanager
    def running(self, product: str) -> Iterator[Runtime]:
        """The product's runtime in this process, to be stepped by the test."""
        with self.opened(product) as storage:
            runtime = Runtime(
                plan_product(self.project(), product, self.home.mask_key),
                storage,
                endpoint=self.backbone.endpoint,
                principal=self.principal(product),
            )
            try:
                yield runtime
            finally:
                runtime.close()

    @contextmanager
    def opened(self, product: str) -> Iterator[Storage]:
        """The storage of a product that does not run."""
        plan = plan_product(self.project(), product)
        storage = Storage.open(self.home.storage(product), plan.tables)
        try:
            yield storage
        finally:
            storage.close()

    def settle(self, runtime: Runtime, count: int = 0) -> int:
        """Step *runtime* until *count* messages came and none waits; how many came.

        Raises `TimeoutError` if they do not.
        """
        came = 0
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < deadline:
            taken = runtime.step(0.2)
            came += taken
            if not taken and came >= count and runtime.progress.lag == 0:
                return came
        raise TimeoutError(f"{came} of {count} messages came, {runtime.progress.lag} wait")

    def messages(self, topic: str) -> list[Message]:
        """Everything that is on *topic* and committed, as the administrator reads it."""
        backbone = self.backbone
        return read_all(backbone.endpoint.client(backbone.admin, backbone.admin_mechanism), topic)


@contextmanager
def open_workbench(
    backbone: Backbone, *, source: Path, folder: Path, products: Sequence[str] = ()
) -> Iterator[Workbench]:
    """A copy of the project at *source* in *folder*, under domains of its own, provisioned.

    With *products* only, which is faster, or with all that the project has.
    """
    root = folder / "project"
    copy_project(source, root, f"t{secrets.token_hex(3)}", products)
    with Registry(backbone.endpoint) as registry:
        home = Home.open(folder / "home")
        bench = Workbench(backbone=backbone, root=root, home=home, registry=registry)
        bench.provision()
        yield bench
