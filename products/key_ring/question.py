"""Questions as people ask them, read; answers, as JSON has them.

    question = read_question({"from": "phone:+31612345678", "to": "contract"}, identifiers)

Not here: chains (`chains`) and looking up (`resolve`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mesh.contract.identifiers import Identifier
from mesh.contract.names import listed
from mesh.contract.questions import identifier_in, instant_in, micros, type_called
from mesh.errors import WrongUse
from products.key_ring.chains import Chains
from products.key_ring.resolve import Answer, Hop
from products.key_ring.ring import ALWAYS, FOREVER

__all__ = ["Question", "document_of", "read_question", "text_of"]

WORDS = ("from", "to", "role", "at", "known_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: from one identifier to a type, in a role, as of and as known at an instant."""

    start_type: str
    start: str
    end_type: str
    role: str | None
    at: int
    known_at: int | None


def read_question(
    asked: Mapping[str, str], identifiers: Mapping[str, Identifier], chains: Chains
) -> Question:
    """Read a question's words. Raises `WrongUse` with what is to be said instead."""
    unknown = sorted(set(asked) - set(WORDS))
    if unknown:
        raise WrongUse(f"a question has no {listed(unknown)}: say {listed(WORDS)}")
    start_type, start = identifier_in(asked.get("from", ""), identifiers, chains.relations)
    return Question(
        start_type=start_type,
        start=start,
        end_type=type_called(asked.get("to", ""), identifiers, chains.relations),
        role=asked.get("role"),
        at=instant_in(asked["at"]) if "at" in asked else micros(datetime.now(UTC)),
        known_at=instant_in(asked["known_at"]) if "known_at" in asked else None,
    )


def document_of(question: Question, answer: Answer) -> dict[str, object]:
    """An answer as JSON: the one identifier, or all candidates and none, and the path."""
    return {
        "state": answer.state,
        "answer": answer.answer,
        "candidates": list(answer.candidates) if answer.is_whole else [],
        "type": answer.reached if answer.is_whole else None,
        "reached": {"type": answer.reached, "ids": list(answer.candidates)},
        "path": [hop_of(each) for each in answer.path],
        "from": {"type": question.start_type, "id": question.start},
        "to": question.end_type,
        "role": question.role,
        "at": text_of(question.at),
        "known_at": text_of(question.known_at),
    }


def hop_of(hop: Hop) -> dict[str, object]:
    """One link of the path: what it joins, who says so, and in which message."""
    one, step = hop.statement, hop.step
    return {
        "relation": one.relation,
        "from": one.end(forward=not step.forward),
        "from_type": step.start,
        "to": one.end(forward=step.forward),
        "to_type": step.end,
        "valid_from": text_of(one.valid_from),
        "valid_to": text_of(one.valid_to),
        "known_from": text_of(one.known_from),
        "link_id": one.link_id,
        "statement_id": one.statement_id,
        "authority": one.authority,
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
    }


def text_of(instant: int | None) -> str | None:
    """An instant in RFC 3339, None for an open end. Python's own end at the year 9999."""
    if instant is None or instant in (ALWAYS, FOREVER):
        return None
    return f"{np.datetime64(instant, 'us')}Z".replace(".000000Z", "Z")
