"""Questions as people ask them, read; answers, as JSON has them.

    question = read_question({"from": "phone:+31612345678", "to": "contract"}, identifiers)

Not here: chains (`chains`) and looking up (`resolve`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from mesh.contract.identifiers import Identifier
from mesh.contract.names import listed
from mesh.contract.standards import identifier_called, normal_form
from mesh.errors import WrongUse
from products.key_ring.chains import Chains
from products.key_ring.resolve import Answer, Hop
from products.key_ring.ring import ALWAYS, FOREVER

__all__ = ["Question", "document_of", "identifier_type", "instant_of", "read_question"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    kind, colon, text = asked.get("from", "").partition(":")
    if not colon:
        raise WrongUse("say from what: --from TYPE:VALUE, as phone:+31612345678")
    start_type = identifier_type(kind, identifiers, chains)
    known_at = asked.get("known_at")
    return Question(
        start_type=start_type,
        start=normal_form(identifiers[start_type], text),
        end_type=identifier_type(asked.get("to", ""), identifiers, chains),
        role=asked.get("role") or None,
        at=instant_of(asked["at"]) if asked.get("at") else micros(datetime.now(UTC)),
        known_at=instant_of(known_at) if known_at else None,
    )


def identifier_type(name: str, identifiers: Mapping[str, Identifier], chains: Chains) -> str:
    """The type of identifier called *name*, in full or without its last word.

    Raises `WrongUse` where there is none, and for the customer, who does not exist.
    """
    if name.lower().rstrip("s") == "customer":
        raise WrongUse(
            "there is no customer: who holds a contract, who uses it, who pays for it and who "
            "lives there may be different persons, so one must be meant; say --to person and "
            f"--role, one of: {chains.say_roles()}"
        )
    found = identifier_called(identifiers, name)
    if found is None:
        known = listed(sorted(identifiers))
        raise WrongUse(f"{name or 'nothing'} is no type of identifier: the company's are {known}")
    return found.name


def instant_of(text: str) -> int:
    """An ISO 8601 date or instant in microseconds; UTC where it names no offset."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise WrongUse(f"{text!r} is no instant: write it as 2026-03-01T12:00:00Z") from error
    return micros(found if found.tzinfo else found.replace(tzinfo=UTC))


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - EPOCH) // timedelta(microseconds=1)


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
