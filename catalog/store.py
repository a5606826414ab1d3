"""The read model: what was accepted and found, in DuckDB and as the products that it makes.

The topics are the truth. At each start all of this is made anew from them, so it may be deleted
at any time, and nothing stands here that is not there. Not here: who may change it (`desk`).
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from catalog.acceptance import Accepted, accepted_in, moved
from catalog.verdict import Verdict
from mesh.backbone.bus import Bus
from mesh.contract.catalogue import PRODUCTS_TOPIC, VERDICTS_TOPIC
from mesh.contract.descriptor import from_canonical, materialise
from mesh.contract.project import Project
from mesh.errors import MeshError

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["Kept", "Store"]

FILE = "catalogue.duckdb"
TABLES = """
create table products (
    id text primary key, domain text, version text, owner text, digest text,
    descriptor text, accepted_at timestamptz
);
create table verdicts (id text primary key, state text, verdict text, said_at timestamptz);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A product as it stands in the read model."""

    accepted: Accepted
    accepted_at: datetime

    def as_document(self) -> dict[str, Any]:
        """What is answered over HTTP."""
        record = self.accepted.as_record()
        return {
            **record,
            "descriptor": json.loads(record["descriptor"]),
            "accepted_at": self.accepted_at.isoformat(),
        }


class Store:
    """What stands in *folder*, which one process has. One writer at a time, many readers.

    *lists* gives a project without products: the company's lists as they are now.
    """

    def __init__(self, folder: Path, lists: Callable[[], Project]) -> None:
        self._folder, self._lists = folder, lists
        self._lock = threading.RLock()
        self._kept: dict[str, Kept] = {}
        self._verdicts: dict[str, tuple[Verdict, datetime]] = {}
        self._connection = opened(folder / FILE)
        self.generation = 0
        # What others add to the catalogue's figures.
        self.collectors: list[Callable[[], Iterator[GaugeMetricFamily]]] = []

    def rebuild(self, bus: Bus, log: Callable[[str], None] = lambda _: None) -> None:
        """Make everything anew from the topics. What cannot be read any more is left out."""
        with self._lock:
            shutil.rmtree(self._folder / "products", ignore_errors=True)
            self._kept, self._verdicts = {}, {}
            self._connection.execute("delete from products; delete from verdicts;")
            newest = {key: (record, at) for key, record, _, at in bus.whole(PRODUCTS_TOPIC)}
            for key, (record, at) in newest.items():
                if record is None:
                    continue
                try:
                    descriptor = from_canonical(record["id"], record["descriptor"])
                    root = self._place(record["id"], record["digest"])
                    accepted = accepted_in(descriptor, record["descriptor"], root)
                except (MeshError, ValueError, KeyError) as error:
                    log(f"{key} was accepted and cannot be read any more: {error}")
                    continue
                self._keep(accepted, instant(at))
            for _, record, _, at in bus.whole(VERDICTS_TOPIC):
                if record is not None:
                    self.note(Verdict.of_record(record), instant(at))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def project(self) -> Project:
        """The project that the accepted products make."""
        lists = self._lists()
        with self._lock:
            products = {id_: each.accepted.product for id_, each in sorted(self._kept.items())}
        return Project(
            root=lists.root,
            products=products,
            identifiers=lists.identifiers,
            people=lists.people,
            accepted=products,
        )

    def product(self, id_: str) -> Kept | None:
        """The product with this id."""
        return self._kept.get(id_)

    def products(self) -> Mapping[str, Kept]:
        """All products, by id."""
        with self._lock:
            return dict(sorted(self._kept.items()))

    def verdict(self, id_: str) -> tuple[Verdict, datetime] | None:
        """What the last attempt of a product met, and when."""
        return self._verdicts.get(id_)

    def verdicts(self) -> Mapping[str, tuple[Verdict, datetime]]:
        """What the last attempt of each met."""
        with self._lock:
            return dict(sorted(self._verdicts.items()))

    def keep(self, accepted: Accepted, at: datetime) -> None:
        """Take over what was accepted *at*."""
        id_ = accepted.product.id
        with self._lock:
            old = self._kept.get(id_)
            folder = self._place(id_, accepted.digest)
            shutil.rmtree(folder, ignore_errors=True)
            made = materialise(from_canonical(id_, accepted.text), folder)
            product = moved(accepted.product, made)
            self._keep(Accepted(text=accepted.text, digest=accepted.digest, product=product), at)
            if old is not None and old.accepted.digest != accepted.digest:
                shutil.rmtree(self._place(id_, old.accepted.digest), ignore_errors=True)

    def drop(self, id_: str) -> None:
        """Forget a product that was withdrawn."""
        with self._lock:
            self._kept.pop(id_, None)
            self._connection.execute("delete from products where id = ?", [id_])
            self.generation += 1

    def note(self, verdict: Verdict, at: datetime) -> None:
        """Take over what an attempt met."""
        with self._lock:
            self._verdicts[verdict.id] = (verdict, at)
            self._connection.execute(
                "insert or replace into verdicts values (?, ?, ?, ?)",
                [verdict.id, verdict.state, json.dumps(verdict.as_document()), at],
            )
            self.generation += 1

    def _keep(self, accepted: Accepted, at: datetime) -> None:
        record = accepted.as_record()
        names = ("id", "domain", "version", "owner", "digest", "descriptor")
        self._connection.execute(
            "insert or replace into products values (?, ?, ?, ?, ?, ?, ?)",
            [*(record[name] for name in names), at],
        )
        self._kept[accepted.product.id] = Kept(accepted=accepted, accepted_at=at)
        self.generation += 1

    def _place(self, id_: str, digest: str) -> Path:
        """Where the files of one version of a product lie; the loader wants its id as folder."""
        return self._folder / "products" / f"{id_}-{digest[:16]}"


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    """An empty read model at *path*, whatever stood there."""
    for file in (path, path.with_name(f"{path.name}.wal")):
        file.unlink(missing_ok=True)
    connection = duckdb.connect(str(path))
    connection.execute(TABLES)
    return connection


def instant(ms: int) -> datetime:
    """The broker's time of a message."""
    return datetime.fromtimestamp(ms / 1000, UTC)
