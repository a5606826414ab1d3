"""What the logs of a port tell: what became of a key, and what was there at a moment.

Not here: HTTP and formats (`mesh.wiring.audit_answers`), who may ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

import pyarrow as pa

from mesh.audit.entry import Entry, Message, unopened
from mesh.audit.store import Log
from mesh.contract.model import Contract
from mesh.errors import WrongUse
from mesh.product.rows import PLACE, RowReader

__all__ = ["PLACE", "Answers", "Change", "Cut", "cut_at", "diff", "newest", "text_of"]

# How many entries of each partition's log count.
Cut = Mapping[int, int]
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one message did to its key: the rows before and after it, None where there is none.

    *is_readable* is false for a message whose value is no row of the contract.
    """

    entry: Entry
    key: str
    before: Row | None
    after: Row | None
    is_readable: bool = True

    @property
    def what(self) -> str:
        """`created`, `changed`, `deleted`, or `repeated` where nothing changed."""
        if not self.is_readable:
            return "unreadable"
        if self.before == self.after:
            return "repeated"
        return named(self.before, self.after)


def named(before: Row | None, after: Row | None) -> str:
    """How it is called that one row became another."""
    if before is None:
        return "created"
    return "deleted" if after is None else "changed"


def cut_at(logs: Mapping[int, Log], moment: str | int | None) -> Cut:
    """How much of each log counts at *moment*: milliseconds, offsets, or None for all of it.

    Offsets are those that come next, as `0:120,1:95`, of every partition. Raises `WrongUse`.
    """
    if moment is None:
        return {partition: log.size for partition, log in logs.items()}
    if isinstance(moment, int):
        # Public topics have the broker's time, which goes up within a partition.
        return {
            partition: bisect_right(range(log.size), moment, key=log.time_at)
            for partition, log in logs.items()
        }
    try:
        pairs = [each.split(":") for each in moment.split(",")]
        offsets = {int(partition): int(offset) for partition, offset in pairs}
    except ValueError:
        offsets = {}
    if sorted(offsets) != sorted(logs):
        raise WrongUse(
            f"{moment[:80]!r} is no moment: write an instant, 2026-03-01T12:00:00Z, or the next "
            f"offset of each partition ({', '.join(map(str, sorted(logs)))}), as 0:120,1:95"
        )
    return {
        partition: bisect_right(range(log.size), offsets[partition] - 1, key=log.offset_at)
        for partition, log in logs.items()
    }


def newest(logs: Mapping[int, Log], end: Cut, count: int) -> Cut:
    """Where the last *count* entries before *end* begin, over all partitions, by their time."""
    backwards = [moments(log, end[partition], partition) for partition, log in logs.items()]
    taken = Counter(partition for _, partition in islice(merge(*backwards, reverse=True), count))
    return {partition: end[partition] - taken[partition] for partition in logs}


def moments(log: Log, end: int, partition: int) -> Iterator[tuple[int, int]]:
    """When each entry before *end* was written, the last one first."""
    return ((log.time_at(index), partition) for index in range(end - 1, -1, -1))


class Answers:
    """Reads the messages of one port, whose schemas *schema_of* knows by id."""

    def __init__(
        self, contract: Contract, schema_of: Callable[[int], Mapping[str, object] | None]
    ) -> None:
        self._reader = RowReader(contract, schema_of)

    def history(self, logs: Mapping[int, Log], key: bytes) -> Iterator[Change]:
        """Every message with *key*, in the order of its log."""
        for log in logs.values():
            found = log.openings.of(key, log.size)
            values = [unopened(opening).value for _, opening in found]
            rows = self._rows(values)
            before: Row | None = None
            for place, (index, _) in enumerate(found):
                after = rows.get(place)
                is_readable = after is not None or values[place] is None
                yield Change(
                    entry=log.entry(index),
                    key=text_of(key),
                    before=before,
                    after=after if is_readable else before,
                    is_readable=is_readable,
                )
                before = after if is_readable else before

    def changes(self, logs: Mapping[int, Log], begin: Cut, end: Cut) -> Iterator[Change]:
        """Every message between two moments, partition by partition."""
        for partition, log in sorted(logs.items()):
            found = log.openings.since(begin[partition], end[partition])
            messages = [unopened(opening) for _, opening in found]
            places = [index for index, _ in found]
            keys = [message.key for message in messages]
            earlier = log.openings.before([*zip(places, keys, strict=True)])
            befores = self._rows([each and unopened(each).value for each in earlier])
            afters = self._rows([each.value for each in messages])
            for place, ((index, _), message) in enumerate(zip(found, messages, strict=True)):
                is_readable = message.value is None or place in afters
                before = befores.get(place)
                yield Change(
                    entry=log.entry(index),
                    key=text_of(message.key),
                    before=before,
                    after=afters.get(place) if is_readable else before,
                    is_readable=is_readable,
                )

    def state(self, logs: Mapping[int, Log], cut: Cut) -> pa.Table:
        """The row of each key at a moment, by partition and offset."""
        values = [each.value for each in latest(logs, cut)]
        return self.table(values).drop_columns([PLACE])

    def keyed(self, logs: Mapping[int, Log], cut: Cut) -> Mapping[str, Row]:
        """The row of each key at a moment, by the key's text."""
        messages = latest(logs, cut)
        rows = self._rows([each.value for each in messages])
        return {text_of(messages[place].key): row for place, row in rows.items()}

    def _rows(self, values: Sequence[bytes | None]) -> dict[int, Row]:
        """The rows of those of *values* that are one, by their place."""
        table = self.table(values)
        places = table[PLACE].to_pylist()
        return dict(zip(places, table.drop_columns([PLACE]).to_pylist(), strict=True))

    def table(self, values: Sequence[bytes | None]) -> pa.Table:
        """The rows of those of *values* that are one, with their place."""
        return self._reader.rows(pa.array(values, pa.binary()))


def latest(logs: Mapping[int, Log], cut: Cut) -> list[Message]:
    """The last message of each key at a moment."""
    return [
        unopened(opening)
        for partition, log in sorted(logs.items())
        for _, opening in log.openings.latest(cut[partition])
    ]


def text_of(key: bytes | None) -> str:
    """A key as text; those of products are UTF-8."""
    return (key or b"").decode(errors="replace")


def diff(before: Mapping[str, Row], after: Mapping[str, Row]) -> Iterator[tuple[str, str]]:
    """Key and kind of each difference between two states, in order of the key."""
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old != new:
            yield key, named(old, new)
