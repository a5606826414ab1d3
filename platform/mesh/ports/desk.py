"""Takes commands, one after the other: each is judged by all that was accepted before it.

An accepted command is one event on a topic of the product's own, appended in one transaction and
read by the product as its other inputs are: what it changes is seen whole or not at all. Not
here: what a command is and when it is refused (`commands`), the topic's transactions (`appending`).
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from mesh.ports.commands import Command, NotAccepted, Refusal
from mesh.ports.refusals import Busy, NotThere
from mesh.ports.snapshot import translated
from mesh.ports.values import json_value
from mesh.product.appending import Appender, Unsure
from mesh.product.intake import Checker

__all__ = ["Asked", "Desk"]

PATIENCE_S = 10.0
LOOK_S = 0.005
OFFSET = "select offsets from mesh.state"
KNOWN = """
select command_id, request_digest, strftime(accepted_at, '%Y-%m-%dT%H:%M:%S.%fZ'), _offset
from commands where idempotency_key = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command as it is sent: *key* tells one that is sent again from another."""

    command: str
    body: Mapping[str, object]
    key: str
    principal: str

    @property
    def digest(self) -> str:
        """Of what is sent, and by whom."""
        said = json.dumps([self.principal, self.command, self.body], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


class Desk:
    """The one place where the *commands* of a product are accepted.

    *connection* reads the product's storage and has the model; *is_current* tells whether the
    product has taken in all that was there.
    """

    def __init__(
        self,
        commands: Mapping[str, Command],
        connection: duckdb.DuckDBPyConnection,
        appender: Appender,
        is_current: Callable[[], bool],
    ) -> None:
        self.commands = commands
        self._connection, self._appender = connection, appender
        self._is_current = is_current
        self._checker, self._lock = Checker(), threading.Lock()
        # What the storage must have taken in before a command is judged; none while not open.
        self._end: int | None = None

    def accept(self, asked: Asked) -> Mapping[str, object]:
        """Accept a command; its id, and the offsets from which on it is seen.

        Raises `NotThere` for what is no command, `BadCommand` and `NotAccepted` for one that is
        refused, `Unsure` where it is not known here whether it was accepted.
        """
        command = self.commands.get(asked.command)
        if command is None:
            raise NotThere(f"there is no command {asked.command[:80]}: see GET /commands")
        said = command.read(asked.body)
        with self._turn(), self._look():
            if (known := self._known(asked)) is not None:
                return known
            given = {
                "command_id": str(uuid.uuid4()),
                "command": command.name,
                "idempotency_key": asked.key,
                "request_digest": asked.digest,
                "commanded_by": asked.principal,
                "accepted_at": str(json_value(datetime.now(UTC))),
            }
            row = command.judge(self._connection, self._checker, {**said, **given})
            try:
                self._end = self._appender.append(row)
            except Unsure as error:
                self._end = None
                raise Unsure(
                    f"it is not known whether that was accepted ({error}): send it again, with "
                    "the same key"
                ) from error
            return self._answer(given["command_id"], given["accepted_at"], self._end)

    def _known(self, asked: Asked) -> Mapping[str, object] | None:
        """The answer to a command that was accepted before."""
        with translated():
            rows = self._connection.execute(KNOWN, [asked.key]).fetchall()
        for command_id, digest, accepted_at, offset in rows:
            if digest != asked.digest:
                reason = "another command was sent with this key: a new one needs a new key"
                raise NotAccepted([Refusal(field="Idempotency-Key", reason=reason)])
            return {**self._answer(command_id, accepted_at, offset + 1), "is_repeated": True}
        return None

    def _answer(self, command_id: str, accepted_at: str, end: int) -> dict[str, object]:
        return {
            "command_id": command_id,
            "accepted_at": accepted_at,
            "offsets": {self._appender.topic: {"0": end}},
            "is_repeated": False,
        }

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise Busy("too many commands at once: try again")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _look(self) -> Iterator[None]:
        """A transaction that reads the storage, once it has taken in all that was accepted."""
        deadline = time.monotonic() + PATIENCE_S
        if self._end is None:
            # Whoever wrote before is fenced first, so that nothing comes after what is read now.
            self._end = self._appender.open()
            self._wait(deadline, self._is_current)
        while True:
            with translated():
                self._connection.execute("begin")
            try:
                if self._has_taken_in(self._end):
                    yield
                    return
            finally:
                with suppress(duckdb.Error):
                    self._connection.execute("rollback")
            self._wait(deadline)

    def _has_taken_in(self, end: int) -> bool:
        with translated():
            ((text,),) = self._connection.execute(OFFSET).fetchall()
        return int(json.loads(text).get(self._appender.topic, {}).get("0", 0)) >= end

    def _wait(self, deadline: float, until: Callable[[], bool] | None = None) -> None:
        """Rest for a moment, or *until* something holds. Raises `Busy` when it is too long."""
        while True:
            if until is not None and until():
                return
            if time.monotonic() > deadline:
                raise Busy(
                    "the product has not taken in what came before: is it paused, or catching up?"
                )
            time.sleep(LOOK_S)
            if until is None:
                return
