"""Drops what is published from a storage's outbox, with a batch or when nothing comes.

Not with every batch: of a small one, dropping takes as long as keeping it. Not here: what is
published (`publishing`), and the transaction (`storage`).
"""

from __future__ import annotations

import time

from mesh.product.bookkeeping import OUTBOX_TABLE
from mesh.product.planned import Planned
from mesh.product.position import Position

__all__ = ["Pruning"]

# With a batch once it is so many messages, or this long after the last time.
ROWS, PERIOD_S = 1_000, 1.0
# Of an outbox whose rows are published, before its room is taken back.
SPENT_BYTES = 1024 * 1024


class Pruning:
    """What of the outbox that *planned* reaches is dropped already."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._done: Position | None = None
        self._done_at = 0.0
        # Written into the outbox since its table was made.
        self.spent = 0
        self._freed = 0

    def is_whole(self, published: Position | None) -> bool:
        """Whether all that is published was dropped."""
        return published == self._done

    def is_due(self, seq: int) -> bool:
        """Whether it is time, in a storage that has come to *seq*."""
        count = seq - (self._done.seq if self._done else 0)
        return count >= ROWS or time.monotonic() - self._done_at > PERIOD_S

    @property
    def is_spent(self) -> bool:
        """Whether the outbox is to be made anew as soon as all in it is published."""
        return self.spent > SPENT_BYTES

    def drop(self, published: Position, seq: int) -> None:
        """Drop what is published, in the open transaction; `done` says that it was committed."""
        self._freed = self.spent if published.seq == seq and self.is_spent else 0
        if self._freed:
            # A table emptied by DELETE keeps what it held until all of a row group is gone; one
            # that is made anew has all statements planned anew.
            self._planned.connection.execute(OUTBOX_TABLE)
        else:
            self._planned.execute("delete from mesh.outbox where seq <= $1", published.seq)
        sql = "delete from mesh.batches where seq <= $1 and id <> $2"
        self._planned.execute(sql, published.seq, published.batch)

    def done(self, published: Position) -> None:
        """Take note that it is dropped."""
        self._done, self._done_at = published, time.monotonic()
        self.spent -= self._freed
