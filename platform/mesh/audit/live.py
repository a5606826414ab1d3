"""A topic partition as it is now, compared with its log, entry by entry.

A message that is gone is missing, unless Kafka may have removed it by the topic's own settings:
by age, as what a later message of its key replaces, or as an old tombstone. Where a topic's start
was moved past a message before its time, the message is missing too.
Not here: the log itself (`recount`), whether an erasure is one (`erasures`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from mesh.audit.entry import ENTRY, WITHHELD, Columns, sealed, unopened
from mesh.audit.findings import Fault, Findings
from mesh.audit.policies import Policy
from mesh.audit.recount import Piece
from mesh.backbone.wire import schema_ids
from mesh.errors import Unproven

__all__ = ["Live"]


@dataclass(slots=True, kw_only=True)
class Live:
    """The partition *source* with its *policy*, which begins at offset *low*.

    *announced* are the schemas that the registrar has announced for the topic.
    """

    source: str
    policy: Policy
    low: int
    now_ms: int
    announced: Collection[int]
    findings: Findings
    _unreplaced: dict[bytes, int] = field(default_factory=dict)
    _foreign_ids: set[int] = field(default_factory=set)

    def compare(self, piece: Piece, messages: Columns, *, is_whole: bool = True) -> None:
        """Compare entries with the messages up to the offset of their last one.

        Unless the piece *is_whole*, some messages are those of entries that nobody can read.
        """
        offsets = piece.rows["offset"].astype(np.int64)
        found = np.array(messages.offsets, np.int64)
        places = np.searchsorted(found, offsets)
        inside = np.minimum(places, max(len(found) - 1, 0))
        is_there = (found[inside] == offsets) if len(found) else np.zeros(len(offsets), bool)
        self._check_altered(piece, messages, is_there, inside)
        if is_whole:
            self.check_unlogged(messages, offsets)
        self.check_schemas(messages)
        for at in np.flatnonzero(piece.sound).tolist():
            self._check_there(piece, at, is_there=bool(is_there[at]))

    def end(self) -> None:
        """Tell of what no later message has replaced."""
        for offset in sorted(self._unreplaced.values()):
            self._missing(offset, "it is the latest of its key, and gone from the topic")
        self._unreplaced.clear()

    def check_unlogged(self, messages: Columns, logged: np.typing.ArrayLike = ()) -> None:
        """Every message has an entry."""
        for offset in np.setdiff1d(messages.offsets, logged).tolist():
            words = "the log has no entry of it, though it is past it"
            self._add("foreign", offset, words)

    def check_schemas(self, messages: Columns) -> None:
        """Every schema that is used was announced."""
        ids = schema_ids(pa.array(messages.values, pa.binary()))
        for id_ in set(np.unique(ids[ids >= 0]).tolist()) - self._foreign_ids:
            if id_ in self.announced:
                continue
            self._foreign_ids.add(id_)
            offset = messages.offsets[int(np.flatnonzero(ids == id_)[0])]
            words = "the registrar has not announced it for this topic: ask its writer"
            place = f"{id_}, first used at offset {offset}"
            self.findings.add("foreign", "schema", self.source, place, words=words)

    def _check_altered(
        self, piece: Piece, messages: Columns, is_there: np.ndarray, inside: np.ndarray
    ) -> None:
        """What a message's entry would be now is what it is."""
        at = np.flatnonzero(is_there & piece.sound)
        rows = piece.rows[at]
        places = inside[at].tolist()
        if not places:
            return
        first = rows[0]
        again, _ = sealed(
            Columns(
                offsets=[messages.offsets[each] for each in places],
                timestamps_ms=[messages.timestamps_ms[each] for each in places],
                headers=[messages.headers[each] for each in places],
                keys=[messages.keys[each] for each in places],
                values=[messages.values[each] for each in places],
            ),
            first["topic_id"].tobytes(),
            int(first["partition"]),
            needs_salt=False,
        )
        for one, other in zip(rows, np.frombuffer(again, ENTRY), strict=True):
            if one["kind"] == WITHHELD:
                is_same = one["timestamp_ms"] == other["timestamp_ms"] and other["kind"] != 0
            else:
                is_same = one.tobytes() == other.tobytes()
            if not is_same:
                self._add("altered", int(one["offset"]), "it is not the message that was logged")

    def _check_there(self, piece: Piece, at: int, *, is_there: bool) -> None:
        """Remember or tell that a message is gone; forget what it replaces."""
        row, index = piece.rows[at], piece.begin + at
        opening = piece.opened.openings[at]
        is_compacted = self.policy.is_compacted and opening is not None
        if is_there and not is_compacted:
            return
        key, is_tombstone = key_of(opening) if opening is not None else (None, False)
        if is_compacted and key is not None:
            self._unreplaced.pop(key, None)
        if is_there or index in piece.opened.erased:
            return
        offset, time = int(row["offset"]), int(row["timestamp_ms"])
        if self.policy.has_aged(time, self.now_ms, is_before_start=offset < self.low):
            return
        if self.policy.is_compacted:
            is_old = is_tombstone and self.policy.may_drop_tombstone(time, self.now_ms)
            if key is not None and not is_old:
                self._unreplaced[key] = offset
            return
        why = "before its time" if offset < self.low else "from the midst of the topic"
        self._missing(offset, f"it was removed {why}")

    def _missing(self, offset: int, words: str) -> None:
        self._add("missing", offset, f"{words}; no erasure has taken it")

    def _add(self, fault: Fault, offset: int, words: str) -> None:
        self.findings.add(fault, "message", self.source, f"offset {offset}", words=words)


def key_of(opening: bytes) -> tuple[bytes | None, bool]:
    """The key of a message, and whether it is a tombstone; of what is no opening nothing."""
    try:
        message = unopened(opening)
    except Unproven:
        return None, False
    return message.key, message.value is None
