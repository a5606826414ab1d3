"""Publishes a batch port by day: a run takes what has landed, and publishes each day it is for.

    landed file -> its day's folder -> rows and quarantine -> the list of what is true -> announced

Each arrow is one rename or one transaction of Kafka, so a run that is killed is repeated: what
was done is found done. Not here: how a day is made (`day`), and where files are (`published`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.errors import StorageError, WrongUse
from mesh.home import locked
from mesh.product.batch import Batch
from mesh.product.day import Source, make_day
from mesh.product.durable import put, synced
from mesh.product.failpoints import reach
from mesh.product.landing import LANDING, Taken, digest_of, path_of, pending, take
from mesh.product.published import (
    Day,
    Delivery,
    Published,
    day_folder,
    read_published,
    write_published,
)

__all__ = ["publish_days"]

# Whoever was told of a generation has opened its file by then.
READERS_S = 3600.0
DAY_MS = 86_400_000


def publish_days(
    batch: Batch, port: str, *, announced_on: str, at_once: bool = False
) -> Mapping[str, object]:
    """Publish each day of *port*, up to the run's, of which something new was delivered.

    Each is announced on the input port *announced_on*. What the contract keeps no longer goes.
    A reader has one day after the other, or all that are new *at_once*.
    """
    contract = next((p.contract for p in batch.product.outputs if p.name == port), None)
    if contract is None or contract.day_field is None:
        raise WrongUse(f"{batch.product.id} has no batch port {port} that is partitioned by a day")
    folder = batch.folder(port)
    try:
        (folder / LANDING).mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(folder / "lock", f"a run of {contract.id}"):
            return Days(batch, contract, folder, announced_on, at_once).run()
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder} cannot be written ({error.strerror}): make room or make it"
            " writable, and run again; what was published stays"
        ) from error


@dataclass(slots=True)
class Days:
    """One run over one port."""

    batch: Batch
    contract: Contract
    folder: Path
    announced_on: str
    at_once: bool

    def run(self) -> Mapping[str, object]:
        """Do all that is to be done; what it was."""
        last, first = self.batch.as_of, self.first_kept()
        published = read_published(self.folder)
        # What a run that was killed has published; the next generation may replace it.
        self.announce(published)
        taken = take(self.folder, self.contract, published, first, last)
        new: list[Day] = []
        due = pending(self.folder, published, first, last)
        for generation, (day, deliveries) in enumerate(due, published.generation + 1):
            self.batch.say(f"{day}: checking {len(deliveries)} deliveries")
            new.append(self.make(generation, day, deliveries))
            if not self.at_once:
                published = self.publish(published, new[-1:])
        if self.at_once and new:
            published = self.publish(published, new)
        dropped = self.drop(published, first)
        self.sweep(read_published(self.folder), first)
        return document_of(new, taken, dropped)

    def first_kept(self) -> date | None:
        """The first day that the contract keeps, if it does not keep all."""
        if self.contract.retention_ms is None:
            return None
        return self.batch.as_of - timedelta(days=self.contract.retention_ms // DAY_MS - 1)

    def make(self, generation: int, day: date, deliveries: tuple[Delivery, ...]) -> Day:
        """Make a day anew, which is true for no reader yet."""
        into = day_folder(self.folder, day)
        rows, quarantine = into / f"{generation}.parquet", into / f"{generation}.quarantine.parquet"
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self.folder) as name:
            new, aside = Path(name) / rows.name, Path(name) / quarantine.name
            sources = [
                Source(name=each.name, path=path_of(self.folder, day, each)) for each in deliveries
            ]
            made = make_day(self.contract, day, sources, new, aside)
            put(new, rows)
            quarantine.unlink(missing_ok=True)
            if aside.exists():
                put(aside, quarantine)
        synced(into)
        reach("day-written")
        return Day(
            day=day,
            generation=generation,
            rows=made.rows,
            size_bytes=rows.stat().st_size,
            digest=digest_of(rows),
            quarantined=dict(made.quarantined),
            deliveries=deliveries,
            published_at=datetime.now(UTC),
        )

    def publish(self, published: Published, new: Sequence[Day]) -> Published:
        """Have *new* days be true, all in one moment, and announce them; what is true then."""
        days = {**published.days, **{each.day: each for each in new}}
        after = replace(published, generation=new[-1].generation, days=days)
        write_published(self.folder, after)
        for day in [each.day for each in new if each.day in published.days]:
            os.utime(self.folder / published.days[day].file)
        reach("day-published")
        self.announce(after)
        reach("day-announced")
        return after

    def announce(self, published: Published) -> None:
        """Say of every day that is true that it was published; each is heard of once."""
        rows = [
            {
                # Of a product with several such ports; the contract of another has no such field.
                "port": self.contract.port,
                "day": each.day,
                "generation": each.generation,
                "count_rows": each.rows,
                "count_quarantined": sum(each.quarantined.values()),
                "size_bytes": each.size_bytes,
                "digest": each.digest,
                "deliveries": [delivery.name for delivery in each.deliveries],
                "published_at": each.published_at,
            }
            for each in published.days.values()
        ]
        ports = {each.name: each for each in self.batch.product.inputs}
        contract = self.batch.project.input_contract(ports[self.announced_on])
        table = pa.Table.from_pylist(rows, arrow_schema(contract))
        self.batch.announce(self.announced_on, table)

    def drop(self, published: Published, first: date | None) -> list[date]:
        """Take away what the contract keeps no longer; readers in flight finish."""
        old = [day for day in published.days if first is not None and day < first]
        if old:
            left = {day: each for day, each in published.days.items() if day not in old}
            write_published(self.folder, replace(published, days=left))
            for day in old:
                os.utime(self.folder / published.days[day].file)
        return old

    def sweep(self, published: Published, first: date | None) -> None:
        """Remove what no list names any more, once nobody can be reading it."""
        listed = {self.folder / each.file for each in published.days.values()}
        listed |= {each.with_suffix(".quarantine.parquet") for each in listed}
        for path in self.folder.glob("day=*"):
            day = date.fromisoformat(path.name.removeprefix("day="))
            if first is not None and day < first:
                shutil.rmtree(path / "deliveries", ignore_errors=True)
            for each in path.glob("*.parquet"):
                if each not in listed and time.time() - each.stat().st_mtime > READERS_S:
                    each.unlink()
            with suppress(OSError):  # unless something is left in it
                path.rmdir()
        for path in self.folder.glob(".making-*"):
            shutil.rmtree(path, ignore_errors=True)


def document_of(new: list[Day], taken: Taken, dropped: list[date]) -> Mapping[str, object]:
    """What a run did."""
    return {
        "published": [
            {
                "day": str(each.day),
                "generation": each.generation,
                "rows": each.rows,
                "quarantined": dict(each.quarantined),
                "deliveries": [delivery.name for delivery in each.deliveries],
                "size_bytes": each.size_bytes,
            }
            for each in new
        ],
        "taken": taken.new,
        "repeated": taken.repeated,
        "left": taken.left,
        "dropped": [str(each) for each in dropped],
    }
