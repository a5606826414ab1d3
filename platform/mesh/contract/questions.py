"""The words of a question about identifiers: what is known, what is asked for, when, in which role.

All that can be said of a question without knowing an answer, so that it is refused alike whether
or not anybody is there to answer. Not here: chains of relations and answers (the key ring).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from mesh.contract.identifiers import Identifier
from mesh.contract.model import Relation
from mesh.contract.names import listed, shown
from mesh.contract.standards import identifier_called, normal_form
from mesh.errors import WrongUse

__all__ = [
    "HOUSEHOLD",
    "PERSON",
    "identifier_in",
    "instant_in",
    "micros",
    "require_role",
    "roles_of",
    "say_roles",
    "type_called",
]

PERSON, HOUSEHOLD = "person-id", "household-id"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def identifier_in(
    text: str, identifiers: Mapping[str, Identifier], relations: Iterable[Relation]
) -> tuple[str, str]:
    """The type and the normal form of TYPE:VALUE. Raises `WrongUse` where it is none."""
    kind, colon, value = text.partition(":")
    if not colon:
        raise WrongUse("say from what: --from TYPE:VALUE, as phone:+31612345678")
    type_ = type_called(kind, identifiers, relations)
    return type_, normal_form(identifiers[type_], value)


def type_called(
    name: str, identifiers: Mapping[str, Identifier], relations: Iterable[Relation]
) -> str:
    """The type of identifier called *name*, in full or without its last word.

    Raises `WrongUse` where there is none, and for the customer, who does not exist.
    """
    if name.lower().rstrip("s") == "customer":
        raise WrongUse(
            "there is no customer: who holds a contract, who uses it, who pays for it and who "
            "lives there may be different persons, so one must be meant; say --to person and "
            f"--role, one of: {say_roles(relations)}"
        )
    found = identifier_called(identifiers, name)
    if found is None:
        known = listed(sorted(identifiers))
        said = shown(name) if name else "nothing"
        raise WrongUse(f"{said} is no type of identifier: the company's are {known}")
    return found.name


def require_role(start: str, end: str, role: str | None, relations: Iterable[Relation]) -> None:
    """Raise `WrongUse` where a person is meant, and not said in which role."""
    if role is None and PERSON in (start, end):
        raise WrongUse(f"say --role, in which role the person is meant: {say_roles(relations)}")


def roles_of(relations: Iterable[Relation]) -> dict[str, Relation]:
    """In which roles a person, or a household, stands; each with a relation that says so."""
    ends = (PERSON, HOUSEHOLD)
    return {
        each.role: each for each in relations if each.to_type in ends and each.from_type not in ends
    }


def say_roles(relations: Iterable[Relation]) -> str:
    """The roles there are, and what each means."""
    roles = sorted(roles_of(relations).items())
    return ", ".join(f"{role} ({each.meaning})" for role, each in roles) or "none yet"


def instant_in(text: str) -> int:
    """An ISO 8601 date or instant in microseconds; UTC where it names no offset."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        said = shown(text) if text.strip() else "nothing"
        raise WrongUse(f"{said} is no instant: write it as 2026-03-01T12:00:00Z") from error
    return micros(found if found.tzinfo else found.replace(tzinfo=UTC))


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - EPOCH) // timedelta(microseconds=1)
