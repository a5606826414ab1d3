"""Publishes one batch while the next is taken in: Kafka's commit takes as long as a small batch.

One at a time and in order. What became of a batch is told to whoever hands over the next, or
waits; until then the storage counts it as unpublished, as after a kill. Not here: how a batch is
published (`relay`), and when what is kept of it may go (`storage`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

import pyarrow as pa

from mesh.errors import MeshError
from mesh.product.patience import Patience
from mesh.product.position import Batch
from mesh.product.relay import Relay
from mesh.product.storage import Storage

__all__ = ["SMALL", "Publishing"]

# Of more rows, Python has more to do than Kafka: two threads would take turns, and no less time.
SMALL = 1_000


class Publishing:
    """What of *storage* is being published; the storage is told by the thread that waits.

    *count* is then told the messages.
    """

    def __init__(
        self, patience: Patience, storage: Storage, count: Callable[[pa.Table], None]
    ) -> None:
        self._patience, self._storage, self._count = patience, storage, count
        self.has_published = False
        self._executor = ThreadPoolExecutor(1, "publishing")
        self._under_way: tuple[Future[None], Batch] | None = None

    def begin(self, relay: Relay, batch: Batch) -> None:
        """Have *relay* publish *batch* once the one before is published.

        Raises what the one before has failed with; then *batch* is not begun. A large one is
        handed over at once, and sent and committed while the caller goes on.
        """
        self.settle()
        if batch.outbox.num_rows > SMALL:
            with self._patience.asking():
                relay.hand_over(batch)
        future = self._executor.submit(self._work, relay.publish, batch)
        self._under_way = future, batch

    def settle(self) -> None:
        """Wait until all is published. Raises what that failed with."""
        if self._under_way is None:
            return
        (future, batch), self._under_way = self._under_way, None
        future.result()
        self._tell(batch)

    def show(self, relay: Relay, should_stop: Callable[[], bool]) -> None:
        """Wait until Kafka shows all that was published. Raises what that failed with.

        A commit is answered before its markers stand on the topics; *relay*'s fence waits for them.
        """
        self.settle()
        if self.has_published:
            relay.open(should_stop)

    def abandon(self) -> None:
        """Wait, whatever comes of it: the position in Kafka is read before anything else."""
        if self._under_way is None:
            return
        (future, batch), self._under_way = self._under_way, None
        wait([future])
        if future.exception() is None:
            self._tell(batch)

    def close(self) -> None:
        """Wait, end the thread, and have the storage keep nothing of what is published.

        What lies in a file that nobody has open is not erased; a storage that is shut keeps it.
        """
        for work in (self.settle, self._storage.prune):
            with suppress(MeshError):
                work()
        self._executor.shutdown()

    def _tell(self, batch: Batch) -> None:
        self._storage.published, self.has_published = batch.position, True
        self._count(batch.outbox)

    def _work(self, publish: Callable[[Batch], None], batch: Batch) -> None:
        with self._patience.asking():
            publish(batch)
