"""What the drill `tamper` breaks: a product that has told something, and the logs of it.

The logs are made once, by the audit service's own follower; each case has a copy of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from mesh.audit.entry import ENTRY, Columns, unopened
from mesh.audit.follower import Follower
from mesh.audit.keys import log_key_of
from mesh.audit.note import SigningKey
from mesh.audit.origin import LogName, id_text
from mesh.audit.store import Log
from mesh.audit.told import Port
from mesh.audit.verify import Sources
from mesh.backbone.endpoint import Principal
from mesh.backbone.record import encoded
from mesh.backbone.registry import Registry
from mesh.backbone.wire import salt_header
from mesh.contract.audit import AUDIT, AUDIT_SERVICE, ERASURE_SCHEMA, ERASURES_TOPIC
from mesh.control.principals import SCHEMAS_TOPIC
from mesh.control.tokens import issue_token
from mesh.drills.bed import PRODUCT, Bed
from mesh.drills.feeder import Feeder
from mesh.drills.shelf import shelved
from mesh.drills.victims import Process, until
from mesh.erasure.saying import digest

__all__ = ["REQUEST", "VICTIM", "Copy", "Ground", "columns_of"]

# More than a tile has, in each of four partitions.
ENTRIES, RATE = 1600, 2000
PORTS = ("postings", "totals")
PATIENCE_S = 0.5
TIMEOUT_S = 30
# The entry that is broken; in the first tile, which is full.
VICTIM = 7
REQUEST = "drill-erasure"


@dataclass(slots=True, kw_only=True)
class Ground:
    """A product that runs, its logs as they were made, and what was kept of them elsewhere."""

    bed: Bed
    folder: Path
    product: Process
    key: SigningKey
    names: list[LogName] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, bed: Bed, program: tuple[str, ...]) -> Ground:
        """Have the product tell something, and log it."""
        folder = bed.home.folder(AUDIT_SERVICE)
        ground = cls(bed=bed, folder=folder, product=Process(bed, program), key=log_key_of(folder))
        try:
            ground.start_product()
            feeder = Feeder(bed, RATE)
            feeder.start()
            until(lambda: feeder.count >= ENTRIES, "the feed")
            feeder.stop()
            until(lambda: ground.product.rows("postings") == feeder.count, "the product's rows")
            postings = bed.contract("postings").topic
            ground.log_all(postings, feeder.count)
            ground.say_erased()
            ground.log_all(ERASURES_TOPIC, 1)
        except BaseException:
            ground.product.kill()
            raise
        return ground

    def start_product(self) -> None:
        """Have the product run, and its door answer."""
        self.product.start()
        self.product.await_running()
        until(lambda: self.product.status().get("state") == "running", "the product's door")

    def log_all(self, topic: str, count: int) -> None:
        """Log everything that is told, *count* messages of *topic* and what came before them."""
        principal = Principal(name=AUDIT, secret=self.bed.home.secret(AUDIT))
        follower = Follower(
            self.bed.endpoint,
            principal,
            self.folder / "logs",
            self.key,
            needs_salt=lambda _: False,
            say=lambda _: None,
        )

        def is_all() -> bool:
            came = follower.step(0.05)
            sizes = [each.size for each in follower.logs.values() if each.name.topic == topic]
            return not came and sum(sizes) >= count and not lags(follower)

        with closing(follower):
            until(is_all, "the logs' entries")
            logs = sorted(follower.logs.values(), key=lambda each: each.name)
            self.names, self.notes = [each.name for each in logs], [each.note for each in logs]

    def say_erased(self) -> None:
        """Say of one message that it is erased; whether it is, each case decides."""
        name, offset = self.victim("totals")
        of_topic = {
            "topic": name.topic,
            "topic_id": id_text(name.topic_id),
            "messages": 1,
            "digest": digest([(name.partition, offset)]),
        }
        record = {"request": REQUEST, "erased_at": 0, "topics": [of_topic]}
        with Registry(self.bed.endpoint) as registry:
            schema_id = registry.find(f"{ERASURES_TOPIC}-value", ERASURE_SCHEMA) or 0
        self.write(ERASURES_TOPIC, encoded(schema_id, ERASURE_SCHEMA, record))

    def write(self, topic: str, value: bytes, partition: int = 0) -> None:
        """Write a message, as the administrator."""
        producer = Producer(self.bed.client())
        producer.produce(topic, value, b"drill", partition=partition, headers=salt_header())
        producer.flush(TIMEOUT_S)

    def victim(self, port: str = "postings") -> tuple[LogName, int]:
        """The log that is broken, and the offset of the entry that is."""
        name = self.name_of(port)
        with closing(Log(self.folder / "logs" / name.path, name, self.key)) as log:
            return name, log.offset_at(VICTIM)

    def name_of(self, port: str) -> LogName:
        """The first log of a port."""
        topic = self.bed.contract(port).topic
        return next(each for each in self.names if each.topic == topic)

    @contextmanager
    def copy(self, folder: Path) -> Iterator[Copy]:
        """A copy of the logs, gone at the end."""
        shutil.copytree(self.folder / "logs", folder)
        try:
            yield Copy(ground=self, folder=folder, names=[*self.names])
        finally:
            shutil.rmtree(folder)

    def ports(self, registry: Registry) -> list[Port]:
        """The product's ports, as it may read them itself."""
        home = self.bed.home
        login = Principal(name=PRODUCT, secret=home.secret(PRODUCT))
        return [
            Port(
                contract=self.bed.contract(port),
                schema_of=registry.schema,
                url=f"{home.address(PRODUCT)}/ports/{port}/rows",
                token=lambda: issue_token(home, login, PRODUCT),
            )
            for port in PORTS
        ]


@dataclass(slots=True, kw_only=True)
class Copy:
    """A copy of all logs, which is broken before it is served; *undo* mends what is no copy."""

    ground: Ground
    folder: Path
    names: list[LogName]
    key: SigningKey | None = None
    undo: Callable[[], None] = lambda: None

    def file(self, name: LogName, file: str) -> Path:
        """One file of a log."""
        return self.folder / name.path / file

    def log(self, name: LogName, key: SigningKey | None = None) -> Log:
        """A log, as it lies in the copy."""
        return Log(self.folder / name.path, name, key or self.ground.key)

    @contextmanager
    def sources(self) -> Iterator[Sources]:
        """What is verified: the copy behind a door, and all else as it is now."""
        ground, bed = self.ground, self.ground.bed
        logs = [self.log(each, self.key if self.key and each.mesh == self.key.name else None)
                for each in self.names]  # fmt: skip
        with (
            Registry(bed.endpoint) as registry,
            shelved(logs, ground.key.log_key, bed.home) as served,
        ):
            yield Sources(
                served=served,
                endpoint=bed.endpoint,
                principal=Principal(name=AUDIT, secret=bed.home.secret(AUDIT)),
                key=ground.key.log_key,
                schemas_topic=SCHEMAS_TOPIC,
                ports=ground.ports(registry),
                kept=ground.notes,
                patience_s=PATIENCE_S,
            )
        for each in logs:
            each.close()


def lags(follower: Follower) -> bool:
    """Whether anything waits to be logged."""
    return any(each.lag for each in follower.followed.values())


def columns_of(log: Log) -> Columns:
    """Every message of a log, to make another of it."""
    messages = [unopened(opening) for _, opening in log.openings.since(0, log.size)]
    rows = np.frombuffer(log.entries(0, log.size), ENTRY)
    return Columns(
        offsets=rows["offset"].tolist(),
        timestamps_ms=rows["timestamp_ms"].tolist(),
        headers=[each.headers for each in messages],
        keys=[each.key for each in messages],
        values=[each.value for each in messages],
    )
