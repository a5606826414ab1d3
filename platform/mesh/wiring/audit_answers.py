"""The audit service's answers over HTTP, for whoever is granted the port.

    GET /history/PORT?key=KEY                what became of a key: before, after, when, which writer
    GET /state/PORT?at=T|OFFSETS&format=F    its rows at a moment
    GET /diff/PORT?from=T1&to=T2             what differs between two moments
    GET /changes/PORT?from=T                 the next changes after a moment, message by message
    GET /newest/PORT?before=OFFSETS          the last changes before a moment, the newest first
    GET /entries/PORT?before=OFFSETS         the same without a word of what was said, for anybody

PORT is a contract's id. Not here: what the logs tell (`mesh.audit.answers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from mesh.audit.answers import Answers, Change, Cut, cut_at, diff, newest
from mesh.audit.door import Login, MayRead
from mesh.audit.entry import Entry
from mesh.audit.follower import Follower
from mesh.audit.origin import id_text
from mesh.audit.store import Log
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.errors import Refused, WrongUse
from mesh.ports.formats import FORMATS, Notes, encode
from mesh.ports.refusals import NotThere
from mesh.ports.values import json_value

__all__ = ["answers_routes"]

# Of each partition, in one answer.
MOST_CHANGES = 200
Last = Annotated[int, Query(ge=1, le=MOST_CHANGES)]
Format = Annotated[str, Query(alias="format", pattern="|".join(FORMATS))]


@dataclass(slots=True, kw_only=True)
class Desk:
    """What the answers are made of: the logs, the contracts, the schemas, and who may read."""

    follower: Follower
    project: Project
    registry: Registry
    may_read: MayRead

    def open(self, port: str, token: str) -> tuple[Contract, Answers, Mapping[int, Log]]:
        """A port's contract, answers and logs. Raises `Refused` where it is not granted."""
        contract = self.project.contracts.get(port)
        # A port that is not there is refused as one that is not granted, as at every door.
        if contract is None or not contract.is_streamed:
            raise Refused(f"{port} is not granted")
        self.may_read(token, contract.topic)
        return contract, Answers(contract, self.registry.schema), self.logs_of(contract)

    def logs_of(self, contract: Contract) -> Mapping[int, Log]:
        """The logs of a port's topic as it is now, by partition."""
        followed = sorted(self.follower.followed.items())
        return {
            place[1]: each.log
            for place, each in followed
            if place[0] == contract.topic and each.log is not None
        }


def answers_routes(
    follower: Follower, project: Project, registry: Registry, may_read: MayRead
) -> APIRouter:
    """The routes."""
    router = APIRouter()
    desk = Desk(follower=follower, project=project, registry=registry, may_read=may_read)

    @router.get("/history/{port}")
    def get_history(port: str, key: str, login: Login) -> Mapping[str, object]:
        """What became of a key."""
        contract, answers, logs = desk.open(port, login.credentials)
        writer = project.writer_of(contract)
        changes = [
            described(contract, change, writer) for change in answers.history(logs, key.encode())
        ]
        return {"port": port, "key": key, "changes": changes}

    add_moments(router, desk)
    add_changes(router, desk)
    add_newest(router, desk)
    return router


def add_moments(router: APIRouter, desk: Desk) -> None:
    """A port at a moment, and at two."""

    @router.get("/state/{port}")
    def get_state(
        port: str, login: Login, at: str | None = None, form: Format = "json"
    ) -> StreamingResponse:
        """The rows at a moment."""
        contract, answers, logs = desk.open(port, login.credentials)
        cut = cut_at(logs, moment_of(at))
        rows = answers.state(logs, cut)
        notes = Notes(offsets=offsets_of(contract, logs, cut))
        pieces = encode(form, rows.schema, rows.to_batches(), notes)
        return StreamingResponse(pieces, media_type=FORMATS[form])

    @router.get("/diff/{port}")
    def get_diff(
        port: str,
        login: Login,
        begin: Annotated[str, Query(alias="from")],
        end: Annotated[str | None, Query(alias="to")] = None,
    ) -> Mapping[str, object]:
        """What differs between two moments."""
        contract, answers, logs = desk.open(port, login.credentials)
        cuts = [cut_at(logs, moment_of(each)) for each in (begin, end)]
        before, after = (answers.keyed(logs, each) for each in cuts)
        changes = [
            {
                "key": key,
                "change": what,
                "before": json_value(before.get(key)),
                "after": json_value(after.get(key)),
            }
            for key, what in diff(before, after)
        ]
        from_, to = (offsets_of(contract, logs, each) for each in cuts)
        return {"port": port, "from": from_, "to": to, "changes": changes}


def add_changes(router: APIRouter, desk: Desk) -> None:
    """Message by message."""

    @router.get("/changes/{port}")
    def get_changes(
        port: str, login: Login, begin: Annotated[str | None, Query(alias="from")] = None
    ) -> Mapping[str, object]:
        """The next changes after a moment, and the offsets that come after them."""
        contract, answers, logs = desk.open(port, login.credentials)
        first = cut_at(logs, moment_of(begin))
        last = {
            partition: min(log.size, first[partition] + MOST_CHANGES)
            for partition, log in logs.items()
        }
        writer = desk.project.writer_of(contract)
        found = [described(contract, each, writer) for each in answers.changes(logs, first, last)]
        return {"port": port, "changes": found, "offsets": offsets_of(contract, logs, last)}


def add_newest(router: APIRouter, desk: Desk) -> None:
    """The last changes, with what was said and without."""

    @router.get("/newest/{port}")
    def get_newest(
        port: str, login: Login, before: str | None = None, last: Last = 20
    ) -> Mapping[str, object]:
        """The last changes before a moment, the newest first, and where older ones end."""
        contract, answers, logs = desk.open(port, login.credentials)
        end = cut_at(logs, moment_of(before))
        begin, writer = newest(logs, end, last), desk.project.writer_of(contract)
        found = sorted(answers.changes(logs, begin, end), key=lambda each: turn(each.entry))
        changes = [described(contract, each, writer) for each in reversed(found)]
        return {"changes": changes, **older(contract, logs, begin)}

    @router.get("/entries/{port}")
    def get_entries(port: str, before: str | None = None, last: Last = 20) -> Mapping[str, object]:
        """The same without keys and values, which anybody finds in the logs' tiles too."""
        contract = desk.project.contracts.get(port)
        if contract is None or not contract.is_streamed:
            raise NotThere(f"there is no log of a port {port[:200]!r}")
        logs = desk.logs_of(contract)
        end = cut_at(logs, moment_of(before))
        begin, writer = newest(logs, end, last), desk.project.writer_of(contract)
        found = [
            log.entry(index)
            for partition, log in logs.items()
            for index in range(begin[partition], end[partition])
        ]
        newest_first = sorted(found, key=turn, reverse=True)
        changes = [placed(contract, each, writer) for each in newest_first]
        return {"changes": changes, **older(contract, logs, begin)}


def turn(entry: Entry) -> tuple[int, int]:
    """What changes of several partitions are put in order by."""
    return entry.timestamp_ms, entry.offset


def older(contract: Contract, logs: Mapping[int, Log], begin: Cut) -> Mapping[str, object]:
    """The moment before *begin*, from which older changes can be asked for, if there are any."""
    offsets = offsets_of(contract, logs, begin)[contract.topic]
    moment = ",".join(f"{partition}:{offset}" for partition, offset in offsets.items())
    return {"port": contract.id, "older": moment if any(begin.values()) else None}


def placed(contract: Contract, entry: Entry, writer: str) -> Mapping[str, object]:
    """Where and when something was said, and by whom, as JSON."""
    log = f"{contract.topic}/{id_text(entry.topic_id)}/{entry.partition}"
    return {
        "at": json_value(entry.at),
        "writer": writer,
        "topic": contract.topic,
        "partition": entry.partition,
        "offset": entry.offset,
        "proof": f"/logs/{log}/proof/{entry.offset}",
    }


def described(contract: Contract, change: Change, writer: str) -> Mapping[str, object]:
    """A change as JSON."""
    before, after = change.before or {}, change.after or {}
    names = [each.name for each in contract.fields]
    return {
        "key": change.key,
        "change": change.what,
        **placed(contract, change.entry, writer),
        "fields": [name for name in names if before.get(name) != after.get(name)],
        "before": json_value(change.before),
        "after": json_value(change.after),
    }


def moment_of(text: str | None) -> str | int | None:
    """Milliseconds where *text* is an instant, else the text. Raises `WrongUse`."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        return int(at.timestamp() * 1000)
    except OverflowError as error:
        raise WrongUse(f"{text[:80]!r} is too far away") from error


def offsets_of(contract: Contract, logs: Mapping[int, Log], cut: Cut) -> dict[str, dict[str, int]]:
    """The offsets that come next at a cut, as doors say them."""
    return {
        contract.topic: {
            str(partition): log.offset_at(cut[partition] - 1) + 1 if cut[partition] else 0
            for partition, log in logs.items()
        }
    }
