"""The last moments of a product's runs, kept beside its storage: one JSON object a line.

    {"run": "…", "kind": "START", "at": "…", "read": {}, "written": {}, "reason": ""}

So what a run read and wrote outlives the process. It is no part of the product's data: where it
cannot be written, the product goes on. Not here: events for others (`openlineage`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh.errors import SettingsError
from mesh.home import write_private
from mesh.product.ran import Flow, Moment, Ran

__all__ = ["RunLog"]

MOST_MOMENTS = 30
LONGEST_REASON = 500
ENDS = ("COMPLETE", "FAIL", "ABORT")


class RunLog:
    """The file at *path*; bounded, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def moments(self) -> list[Moment]:
        """What was kept, oldest first; what cannot be read is left out."""
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        return [found for line in lines if (found := read(line)) is not None]

    def add(self, moment: Moment) -> None:
        """Keep one more; of a run that goes on, the newest counts."""
        with self._lock:
            kept = self.moments()
            if kept and kept[-1].kind == moment.kind == "RUNNING" and kept[-1].run == moment.run:
                kept.pop()
            self._write(bounded([*kept, moment]))

    @contextmanager
    def run(self, ran: Ran) -> Iterator[None]:
        """Keep the moments of one run, for the time of a block; what the block raises ends it."""
        self._end_unfinished()
        self.add(ran.moment("START"))
        ran.tell = self.add
        try:
            yield
        except BaseException as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
            self.add(ran.moment("FAIL", text))
            raise
        self.add(ran.moment("COMPLETE"))

    def _end_unfinished(self) -> None:
        """A run that was killed could say no last word; whoever comes next says it."""
        kept = self.moments()
        if kept and kept[-1].kind not in ENDS:
            last = kept[-1]
            self.add(
                Moment(
                    run=last.run,
                    kind="ABORT",
                    at=datetime.now(UTC),
                    read=last.read,
                    written=last.written,
                    reason="it ended without a last word; what it read since is not counted",
                )
            )

    def _write(self, moments: list[Moment]) -> None:
        text = "".join(json.dumps(asdict(each), default=str) + "\n" for each in moments)
        # A full disk is for the storage to wait out.
        with suppress(SettingsError):
            write_private(self._path, text)


def bounded(moments: list[Moment]) -> list[Moment]:
    """The newest, and of the older ones first those that read or wrote something."""
    kept = list(moments)
    while len(kept) > MOST_MOMENTS:
        idle = (n for n, each in enumerate(kept[:-1]) if not each.read and not each.written)
        kept.pop(next(idle, 0))
    return kept


def read(line: str) -> Moment | None:
    """One line; None where it is none of ours."""
    try:
        document = json.loads(line)
        return Moment(
            run=document["run"],
            kind=document["kind"],
            at=datetime.fromisoformat(document["at"]),
            read=flows(document["read"]),
            written=flows(document["written"]),
            reason=document["reason"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def flows(document: Mapping[str, Any]) -> dict[str, Flow]:
    """What went through topics."""
    return {
        topic: Flow(
            messages=each["messages"],
            first_at=datetime.fromisoformat(each["first_at"]),
            last_at=datetime.fromisoformat(each["last_at"]),
        )
        for topic, each in document.items()
    }
