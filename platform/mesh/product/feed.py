"""Feeds an input port as its operational system does: each line or record exactly once.

A ledger beside the system remembers what was sent. What is new goes into the ledger and its
outbox in one transaction, and from there to Kafka as a product's rows do, so that a feed
killed at any line and repeated adds each line once, and the same file twice adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.product.causes import CAUSES
from mesh.product.duck import as_json
from mesh.product.intake import Checker
from mesh.product.ledger import DIGEST, LINE, Judgement, Ledger
from mesh.product.mapping import BadLine, FileBatch
from mesh.product.outbox import LARGEST_MESSAGE, too_large
from mesh.product.position import Position
from mesh.product.publishers import publisher
from mesh.product.readback import read_back
from mesh.product.relay import Relay, RelayFailed
from mesh.product.storage import Storage
from mesh.product.topics import topic_ids
from mesh.product.transform import CAUSE

__all__ = ["Fed", "Feed", "causes", "feed_topic"]

RELAY_TRIES = 5
# A reason may quote a value, so a large bad file would have as many as it has lines.
MOST_REASONS, OTHER_REASONS = 1_000, "other reasons"
TOO_LARGE = f"its message is larger than {LARGEST_MESSAGE} bytes"
CONTRADICTS = "its key was fed before with other content"


def feed_topic(contract: Contract) -> str:
    """The topic of what a system has fed last; its transactional id too."""
    _, domain, product, port, version = contract.topic.split(".")
    return f"priv.{domain}.{product}.{port}-feed.{version}"


@dataclass(slots=True, kw_only=True)
class Fed:
    """The account of one feed, in lines or records."""

    count_read: int = 0
    count_new: int = 0
    count_known: int = 0
    count_bad: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: Fed) -> None:
        """Count what *other* counts as well."""
        self.count_read += other.count_read
        self.count_new += other.count_new
        self.count_known += other.count_known
        self.count_bad += other.count_bad
        self.reasons += other.reasons

    def explain(self, bad: Sequence[BadLine]) -> None:
        """Count the reasons of *bad*; not each by itself where they are too many."""
        for each in bad:
            is_few = each.reason in self.reasons or len(self.reasons) < MOST_REASONS
            self.reasons[each.reason if is_few else OTHER_REASONS] += 1


class Feed:
    """The open ledger and relay of one input port's system."""

    def __init__(
        self, contract: Contract, folder: Path, *, endpoint: Endpoint, principal: Principal
    ) -> None:
        self._contract = contract
        self._endpoint, self._principal = endpoint, principal
        self._topics = (contract.topic, feed_topic(contract))
        self._checker = Checker()
        self._is_open = False
        self._storage = Storage.open(folder / "ledger.duckdb", [])
        self._relay = Relay(
            endpoint,
            principal,
            position_topic=feed_topic(contract),
            source=f"/{contract.domain}/{principal.name}",
        )
        try:
            self._ledger = Ledger(self._storage.connection)
            with Registry(endpoint) as registry:
                self._publisher = publisher(contract, registry)
            self._resume()
            self._is_open = True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the ledger and the relay."""
        self._relay.close()
        self._storage.close()

    def run(
        self, batches: Iterable[FileBatch], keep_bad: Callable[[Sequence[BadLine]], None]
    ) -> Iterator[Fed]:
        """Feed *batches*; the account after each. Bad lines go to *keep_bad*.

        Raises a `BackboneError` where Kafka is away for long; then nothing is half done.
        """
        fed = Fed()
        for batch in batches:
            bad = [*batch.bad, *self._send(batch.table, fed)]
            fed.count_read += batch.table.num_rows + len(batch.bad)
            fed.count_bad += len(bad)
            fed.explain(bad)
            if bad:
                keep_bad(bad)
            yield fed
        self._storage.prune()

    def _send(self, table: pa.Table, fed: Fed) -> list[BadLine]:
        """Publish what is new of *table*; the lines that cannot be used."""
        rows = self._with_keys(table).append_column(
            CAUSE, pa.array(range(table.num_rows), pa.int64())
        )
        good, violations = self._checker.check(rows, self._contract)
        outbox = self._publisher.messages(good, causes(self._contract, table.num_rows))
        large = too_large(outbox)
        reasons = dict.fromkeys(good[CAUSE].filter(large).to_pylist(), TOO_LARGE)
        good, outbox = good.filter(pc.invert(large)), outbox.filter(pc.invert(large))
        # A record has no offset yet: its key is what makes it one event.
        place = outbox.schema.get_field_index("id")
        outbox = outbox.set_column(place, "id", outbox["key"].cast(pa.string()))
        judged = self._publish_new(outbox)
        fed.count_new += len(judged.new)
        fed.count_known += outbox.num_rows - len(judged.new) - len(judged.changed)
        changed = good[CAUSE].take(pa.array(judged.changed, pa.int64())).to_pylist()
        reasons |= dict.fromkeys(changed, CONTRADICTS)
        # One account a line, whatever the number of rules that it breaks.
        for each in reversed(violations):
            reasons[each.row] = f"{each.field or each.rule}: {each.reason}"
        return bad_lines(table, reasons)

    def _publish_new(self, outbox: pa.Table) -> Judgement:
        """Publish what the ledger does not hold."""
        with self._storage.transaction():
            judged = self._ledger.record(outbox)
            batch = self._storage.save(outbox.take(pa.array(judged.new, pa.int64())), {})
        self._storage.committed(batch)
        if batch.outbox.num_rows:
            try:
                self._relay.publish(batch)
                self._storage.published = batch.position
            except RelayFailed:
                self._resume()
        return judged

    def _resume(self) -> None:
        """Find out what was published last and publish what waits after it.

        Raises a `BackboneError` where Kafka is away, `StorageError` where the ledger is not
        the one that fed this topic.
        """
        for attempt in range(RELAY_TRIES):
            position = self._relay.open()
            self._storage.recognize(topic_ids(self._endpoint, self._principal, self._topics))
            self._make_ours(position)
            self._storage.published = position
            try:
                for batch in self._storage.unpublished(position):
                    self._relay.publish(batch)
                    self._storage.published = batch.position
                self._storage.prune()
            except RelayFailed:
                if attempt == RELAY_TRIES - 1:
                    raise
            else:
                return

    def _make_ours(self, position: Position | None) -> None:
        """Learn what another ledger has fed: what is on the topic is the truth.

        Raises `StorageError` where another one feeds now, or the topic is a new one.
        """
        if position is None and not self._storage.is_outbox_whole():
            raise StorageError(
                f"{self._contract.topic} was made anew since it was fed: "
                "remove the folder feeds/ of the state folder to feed it again"
            )
        if position is not None and not self._storage.knows(position):
            if self._is_open:
                raise StorageError(
                    f"{self._contract.topic} is being fed from another state folder: "
                    "when that has ended, feed again; what is missing will be added"
                )
            chunks = read_back(self._endpoint, self._principal, self._contract.topic)
            with self._storage.transaction():
                self._ledger.learn(chunks)
                self._storage.adopt(position)

    def _with_keys(self, table: pa.Table) -> pa.Table:
        """*table* with the contract's fields only, its key made from the line if it has none."""
        missing = [f.name for f in self._contract.key_fields if f.name not in table.column_names]
        if missing:
            table = table.append_column(missing[0], self._ledger.derived_keys(table))
        return table.select([f.name for f in self._contract.fields])


def bad_lines(table: pa.Table, reasons: Mapping[int, str]) -> list[BadLine]:
    """The account of records, by row number, that were read and cannot be sent."""
    if not reasons:
        return []
    numbers = sorted(reasons)
    bad = table.take(pa.array(numbers, pa.int64()))
    lines = bad[LINE].to_pylist() if LINE in bad.column_names else [row + 1 for row in numbers]
    own = [name for name in (LINE, DIGEST) if name in bad.column_names]
    return [
        BadLine(line=line, raw=text, reason=reasons[row])
        for row, line, text in zip(numbers, lines, as_json(bad.drop_columns(own)), strict=True)
    ]


def causes(contract: Contract, count: int) -> pa.Table:
    """Where records come from that have no place in Kafka yet."""
    now = datetime.now(UTC)
    return pa.table(
        {
            "topic": pa.repeat(contract.topic, count),
            "partition": pa.repeat(pa.scalar(0, pa.int32()), count),
            "offset": pa.array(range(count), pa.int64()),
            "time": pa.repeat(pa.scalar(now, CAUSES.field("time").type), count),
            "trace": pa.nulls(count, pa.string()),
        },
        schema=CAUSES,
    )
