"""A project of one test's own on a shared backbone: its files, topics, secrets and storage.

    with open_workbench(backbone, source=Path("."), folder=tmp_path) as bench:
        bench.feed("call-center", calls)
        with bench.running("call-center") as runtime:
            bench.settle(runtime)
            rows = bench.rows("call-center", "calls")

The copy differs from the source in its domain names only, and so in every topic's name: no
test sees another's topics.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mesh.backbone.endpoint import Principal
from mesh.contract.model import Contract
from mesh.contract.project import Project, load_project
from mesh.control.provision import Provisioned, provision
from mesh.home import Home
from mesh.product.feed import Fed, Feed
from mesh.product.mapping import BadLine, FileBatch
from mesh.product.plan import plan_product
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.testing.backbone import Backbone

__all__ = ["Workbench", "open_workbench"]

SETTLE_TIMEOUT_S = 60.0
COPIED = ("products", "company")


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class Workbench:
    """One test's project on *backbone*."""

    backbone: Backbone
    root: Path
    home: Home

    def project(self) -> Project:
        """The project, read anew, so that a test may edit its files."""
        return load_project(self.root)

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

    def feed(self, product: str, table: pa.Table) -> Fed:
        """Send *table* (the staging contract's fields) as the product's system does."""
        return self.feed_batches(product, [FileBatch(table=table, bad=())])

    def feed_batches(self, product: str, batches: Sequence[FileBatch]) -> Fed:
        """Send batches, bad lines and all."""
        project = self.project()
        port = next(each for each in project.product(product).inputs if each.system)
        contract = project.input_contract(port)
        kept: list[BadLine] = []
        feed = Feed(
            contract,
            self.home.feed(contract.id),
            endpoint=self.backbone.endpoint,
            principal=self.principal(str(port.system)),
        )
        try:
            return [Fed(), *feed.run(batches, kept.extend)][-1]
        finally:
            feed.close()

    @contextmanager
    def running(self, product: str) -> Iterator[Runtime]:
        """The product's runtime in this process, to be stepped by the test."""
        plan = plan_product(self.project(), product)
        storage = Storage.open(self.home.storage(product), plan.tables)
        try:
            runtime = Runtime(
                plan,
                storage,
                endpoint=self.backbone.endpoint,
                principal=self.principal(product),
            )
            try:
                yield runtime
            finally:
                runtime.close()
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
        consumer = Consumer(
            {
                **self.backbone.endpoint.client(self.backbone.admin, self.backbone.admin_mechanism),
                "group.id": f"workbench.{secrets.token_hex(4)}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )
        try:
            return read_all(consumer, topic)
        finally:
            consumer.close()


def read_all(consumer: Consumer, topic: str) -> list[Message]:
    """Read every partition of *topic* to its end."""
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    open_ends = len(partitions)
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while open_ends and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is None:
            found.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            open_ends -= 1
        else:
            raise KafkaException(error)
    return found


@contextmanager
def open_workbench(backbone: Backbone, *, source: Path, folder: Path) -> Iterator[Workbench]:
    """A copy of the project at *source* in *folder*, under domains of its own, provisioned."""
    root = folder / "project"
    mark = f"t{secrets.token_hex(3)}"
    for name in COPIED:
        shutil.copytree(
            source / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    domains = {each.domain for each in load_project(source).products.values()}
    for path in root.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for domain in domains:
            text = text.replace(domain, f"{mark}-{domain}")
        path.write_text(text, encoding="utf-8")
    bench = Workbench(backbone=backbone, root=root, home=Home.open(folder / "home"))
    bench.provision()
    yield bench
