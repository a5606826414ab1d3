"""Which storage this is, and when it last had all that there was of its inputs.

A compacted topic forgets a deletion some time after it; whoever was away for longer has to
read it from the beginning. Not here: how that is done (`recovery`).
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress

from mesh.backbone.topics import topic_of
from mesh.errors import MeshError
from mesh.product.inputs import Inputs
from mesh.product.plan import Plan
from mesh.product.storage import Storage

__all__ = ["Life"]

# Reading what was missed takes time, too.
SHARE = 0.9
# How old what stands in the storage may be.
WRITE_EVERY_S = 60.0
# So far a clock is set back in the usual way.
CLOCKS_S = 3600.0


class Life:
    """The life of one storage under *plan*."""

    def __init__(self, storage: Storage, plan: Plan) -> None:
        self._storage = storage
        configs = {each.contract.topic: topic_of(each.contract).config for each in plan.inputs}
        kept = {
            topic: int(config["delete.retention.ms"]) / 1000
            for topic, config in configs.items()
            if "delete.retention.ms" in config
        }
        self._topics = frozenset(kept)
        self._longest_s = min(kept.values(), default=float("inf")) * SHARE
        self._id, self._met_at = self._read()
        self._written_at = self._met_at

    def _read(self) -> tuple[str, float]:
        with self._storage.transaction():
            execute = self._storage.connection.execute
            rows = execute("select storage_id, met_at from mesh.life").fetchall()
            if not rows:
                # A storage that holds something, and does not say since when, is read again.
                rows = [(uuid.uuid4().hex, 0.0 if self._storage.offsets else time.time())]
                execute("insert into mesh.life values (?, ?)", list(rows[0]))
        return str(rows[0][0]), float(rows[0][1])

    @property
    def name(self) -> str:
        """A name of this very file: a copy of it has another."""
        found = self._storage.path.stat()
        return f"{self._id}.{found.st_dev:x}.{found.st_ino:x}"

    @property
    def is_overdue(self) -> bool:
        """Whether deletions may be gone that were never seen."""
        # A time to come is of a clock that was wrong: then nothing is known.
        return not -CLOCKS_S <= time.time() - self._met_at <= self._longest_s

    @property
    def away(self) -> str:
        """How long it was away, in words."""
        hours = (time.time() - self._met_at) / 3600
        return f"{hours / 24:.1f} days" if hours > 48 else f"{hours:.1f} hours"

    def note(self, inputs: Inputs) -> None:
        """Take note where all there is of the compacted inputs is taken in."""
        # What is overdue stays so: a machine that slept still believes what it saw last.
        if not self.is_overdue and not inputs.lag(self._topics):
            self.met()

    def leave(self, inputs: Inputs | None) -> None:
        """Remember how far *inputs* were read, markers of transactions included.

        Retention may pass these too, and then a topic no longer holds where its last message ended.
        """
        known = self._storage.offsets
        passed = inputs.passed(known) if inputs is not None else known
        if passed == known:
            return
        # A storage that is shut keeps what it has.
        with suppress(MeshError):
            with self._storage.transaction():
                sql = "update mesh.state set offsets = ?"
                self._storage.connection.execute(sql, [json.dumps(passed)])
            self._storage.offsets = passed

    def met(self) -> None:
        """All there is was taken in."""
        self._met_at = time.time()
        if abs(self._met_at - self._written_at) > min(WRITE_EVERY_S, self._longest_s / 20):
            with self._storage.transaction():
                self._storage.connection.execute("update mesh.life set met_at = ?", [self._met_at])
            self._written_at = self._met_at
