"""The logs of one topic: each computed anew, compared with its partition, and with a port's rows.

Not here: what is checked of a log (`recount`), of a partition (`live`), of rows (`rows`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.erasures import Marks
from mesh.audit.findings import Fault, Findings
from mesh.audit.live import Live
from mesh.audit.note import LogKey
from mesh.audit.origin import LogName, topic_id
from mesh.audit.policies import Policy
from mesh.audit.recount import Piece, Recount, unchecked
from mesh.audit.reread import TIMEOUT_S, Reread
from mesh.audit.rows import PortRows
from mesh.audit.served import Served
from mesh.audit.tiles import WIDTH, Tile
from mesh.audit.told import Port
from mesh.errors import Unproven
from mesh.product.following import watermarks

__all__ = ["POLL_S", "Bench", "Subject", "check_topic"]

POLL_S = 0.2
LOOK_S = 1.0
# So many entries, a multiple of a tile, from one word of progress to the next.
SAID = 64 * WIDTH
ROWS: Mapping[Fault, str] = {
    "missing": "the log has it, and the product's door does not",
    "altered": "the product's door gives another than the log has",
    "foreign": "the product's door gives it, and the log has it not",
}


@dataclass(slots=True, kw_only=True)
class Bench:
    """What all topics are checked with, and what was found.

    What is new may take *patience_s* to come into the log.
    """

    served: Served
    key: LogKey
    consumer: Consumer
    findings: Findings
    say: Callable[[str], None]
    patience_s: float
    marks: Marks = field(default_factory=Marks)
    entries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One topic. *topic_id* is None where it is no more, or another one now.

    *paths* are its logs, *kept* the checkpoints that others kept, by path.
    """

    topic: str
    topic_id: bytes | None
    policy: Policy
    announced: Collection[int]
    port: Port | None
    paths: Sequence[str]
    kept: Mapping[str, Sequence[Checkpoint]]


def check_topic(bench: Bench, subject: Subject) -> None:
    """Check every log of a topic."""
    if subject.port is None:
        for path in subject.paths:
            check_log(bench, subject, path, None)
        return
    with (
        tempfile.TemporaryDirectory(prefix="mesh-verify-") as name,
        closing(PortRows(subject.port.contract, subject.port.schema_of, Path(name))) as rows,
    ):
        for path in subject.paths:
            check_log(bench, subject, path, rows if is_live(subject, path) else None)
        check_rows(bench, subject, subject.port, rows, Path(name))


def is_live(subject: Subject, path: str) -> bool:
    """Whether the log at *path* is of the topic that is there now."""
    return topic_id(path.split("/")[1]) == subject.topic_id


def check_log(bench: Bench, subject: Subject, path: str, rows: PortRows | None) -> None:
    """Check one log, and its partition if the topic is still there."""
    checkpoint = signed(bench, path)
    if checkpoint is None:
        return
    recount = Recount(
        bench.served, f"/logs/{path}", checkpoint, subject.kept.get(path, ()), bench.findings
    )
    bench.entries += checkpoint.size
    partition = None
    if is_live(subject, path):
        partition = Partition(bench, subject, path, recount)
    for piece in recount.pieces():
        if piece.begin % SAID == 0:
            bench.say(f"{recount.source}: {piece.begin:,} of {checkpoint.size:,} entries")
        for index, request in piece.opened.erased.items():
            offset = int(piece.rows["offset"][index - piece.begin])
            bench.marks.add(recount.name, request, offset)
        if rows is not None:
            rows.add(piece)
        if partition is not None:
            partition.compare(piece)
    if partition is not None:
        partition.end()


def signed(bench: Bench, path: str) -> Checkpoint | None:
    """The newest checkpoint of a log, or None where the key has not signed it."""
    try:
        checkpoint = Checkpoint.opened(bench.served.note(f"/logs/{path}"), bench.key)
        if LogName.parse(checkpoint.origin).path != path:
            raise Unproven(f"it is of {checkpoint.origin}")
    except Unproven as error:
        topic, _, number = path.split("/")
        words = f"the checkpoint that is served is not the trusted key's: {error}"
        bench.findings.add("altered", "checkpoint", f"{topic} [{number}]", words=words)
        return None
    return checkpoint


class Partition:
    """A topic partition that is read beside its log."""

    def __init__(self, bench: Bench, subject: Subject, path: str, recount: Recount) -> None:
        self._bench, self._path = bench, path
        place = (subject.topic, recount.name.partition)
        low, self._high = watermarks(bench.consumer, place, TIMEOUT_S)
        self._reread = Reread(bench.consumer, place, low, self._high)
        self._is_sound = True
        self._live = Live(
            source=recount.source,
            policy=subject.policy,
            low=low,
            now_ms=time.time_ns() // 1_000_000,
            announced=subject.announced,
            findings=bench.findings,
        )

    def compare(self, piece: Piece) -> None:
        """Read as far as a piece of the log goes, and compare."""
        sound = piece.rows["offset"][piece.sound]
        was_sound, self._is_sound = self._is_sound, bool(piece.sound.all())
        if len(sound):
            # Where an entry was altered, nobody knows which message is its own.
            messages = self._reread.until(int(sound.max()) + 1)
            self._live.compare(piece, messages, is_whole=was_sound and self._is_sound)

    def end(self) -> None:
        """Read what is behind the log's end, which has its entries soon."""
        rest = self._reread.until(self._high)
        self._live.check_schemas(rest)
        if rest.offsets and self._is_sound and not self._comes(rest.offsets[-1]):
            self._live.check_unlogged(rest)
        self._live.end()

    def _comes(self, offset: int) -> bool:
        """Whether the log comes to have an entry of *offset*, or at least goes on."""
        begin, deadline = self._last_offset(), time.monotonic() + self._bench.patience_s
        while (last := self._last_offset()) < offset and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return last >= offset or last > begin

    def _last_offset(self) -> int:
        logs = self._bench.served.logs()
        found = [each for each in logs if each["path"] == f"/logs/{self._path}"]
        return int(found[0]["last_offset"]) if found else -1


def check_rows(bench: Bench, subject: Subject, port: Port, rows: PortRows, folder: Path) -> None:
    """Compare what the product's door tells with what the log has of the port."""
    bench.say(f"{port.contract.id}: rows")
    now_ms = time.time_ns() // 1_000_000
    rows.tell(port.rows(folder))
    deadline = time.monotonic() + bench.patience_s
    # What a product's door has told is on its topic, and in the log, a moment later.
    while wrong := [*rows.wrong(now_ms)]:
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
        for path in subject.paths:
            if is_live(subject, path):
                go_on(bench, path, rows)
    for key, fault in wrong:
        words = f"{ROWS[fault]}; `mesh audit history {port.contract.id} KEY` tells its changes"
        bench.findings.add(fault, "row", port.contract.id, f"key {key}", words=words)


def go_on(bench: Bench, path: str, rows: PortRows) -> None:
    """Take in what has come into a log since."""
    checkpoint = signed(bench, path)
    size = 0 if checkpoint is None else checkpoint.size
    first = rows.count(int(path.rpartition("/")[2])) // WIDTH * WIDTH
    for begin in range(first, size, WIDTH):
        tile = Tile(level=0, index=begin // WIDTH, width=min(WIDTH, size - begin))
        rows.add(unchecked(bench.served, f"/logs/{path}", tile))
