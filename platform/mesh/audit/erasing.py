"""The way into the audit logs by which what opens a person's entries is destroyed.

    POST /erasures  {"request": ID, "whose": {…}, "is_dry": false}   (Authorization: Bearer TOKEN)

Entries, tiles, checkpoints and proofs stay. The openings themselves are searched, those of topics
that are gone too: they are kept longer than the topics keep their messages. It answers for each
log how many openings are gone, and the offsets of all entries that the request has erased.
Not here: who may erase, which is asked, and what leads to whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mesh.audit.door import Login
from mesh.audit.entry import unopened
from mesh.audit.follower import Follower
from mesh.audit.origin import id_text
from mesh.audit.store import Log
from mesh.contract.model import Contract
from mesh.contract.whose import Whose
from mesh.errors import WrongUse
from mesh.product.searching import SchemaOf, Search

__all__ = ["Eraser", "erasing_routes"]

# What is looked through at once.
PIECE = 5_000
# The platform's own topics say nothing of persons.
PLATFORM = "pub.mesh."


class Erasure(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    request: Annotated[str, Field(min_length=1, max_length=64)]
    whose: dict[str, Any]
    is_dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Eraser:
    """Finds a person in logs by the *contracts*, by topic; *check* raises for who may not erase."""

    contracts: Mapping[str, Contract]
    schema_of: SchemaOf
    check: Callable[[str], None]

    def may_have(self, topic: str) -> bool:
        """Whether messages of *topic* may be personal; of whom we know no contract, they may."""
        contract = self.contracts.get(topic)
        return not topic.startswith(PLATFORM) and (contract is None or contract.has_personal_fields)

    def found(self, log: Log, whose: Whose) -> Iterator[int]:
        """The entries of *log* whose messages are the person's."""
        search = Search(whose, self.contracts.get(log.name.topic), self.schema_of)
        for begin in range(0, log.size, PIECE):
            opened = log.openings.since(begin, min(begin + PIECE, log.size))
            messages = [unopened(opening) for _, opening in opened]
            hits = search.look(
                [each.key for each in messages],
                [each.value for each in messages],
                [log.time_at(index) for index, _ in opened],
            )
            yield from (opened[each.place][0] for each in hits)


def erasing_routes(follower: Follower, eraser: Eraser) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.post("/erasures")
    def post_erasure(login: Login, asked: Erasure) -> list[Mapping[str, object]]:
        """Destroy what opens the entries of a person's messages, or only count them."""
        eraser.check(login.credentials)
        try:
            whose = Whose.of(asked.whose)
        except ValueError as error:
            raise WrongUse(f"`whose` cannot be used: {error}") from error
        found = []
        for log in [*follower.logs.values()]:
            if eraser.may_have(log.name.topic):
                entries = [*eraser.found(log, whose)]
                gone = len(entries)
                if not asked.is_dry:
                    gone = log.openings.destroy(entries, asked.request)
                found.append(described(log, gone, asked.request))
        return found

    return router


def described(log: Log, gone: int, request: str) -> Mapping[str, object]:
    """What has become of a log."""
    erased = [index for index, by in log.openings.erased(0, log.size) if by == request]
    return {
        "topic": log.name.topic,
        "topic_id": id_text(log.name.topic_id),
        "partition": log.name.partition,
        "openings": gone,
        "erased": [log.offset_at(each) for each in erased],
    }
