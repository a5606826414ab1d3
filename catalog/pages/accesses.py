"""The page of accesses as data: what an owner has to decide, and what a person has.

Not here: who decides and what becomes of it (the access service), HTML (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesh.contract.project import Project
from mesh.errors import WrongUse

__all__ = ["VERBS", "access_document", "act_of", "owns"]

VERBS = ("request", "grant", "revoke")
ORDER = ("requested", "granted")
DAY_S = 86_400
# How long a grant lasts, the first unless another is chosen; 0 is until it is revoked.
TERMS = (
    (30 * DAY_S, "for 30 days"),
    (DAY_S, "for a day"),
    (7 * DAY_S, "for a week"),
    (365 * DAY_S, "for a year"),
    (0, "until it is revoked"),
)


def access_document(
    project: Project, principal: str, accesses: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    """The page of *principal*, of all *accesses* there are."""
    ordered = sorted(accesses, key=place_of)
    return {
        "principal": principal,
        "port": "",
        "purpose": "",
        "done": None,
        "detail": None,
        "terms": [{"for_s": for_s, "words": words} for for_s, words in TERMS],
        "owned": [each for each in ordered if owns(project, principal, str(each["port"]))],
        "own": [each for each in ordered if each["principal"] == principal],
    }


def place_of(access: Mapping[str, Any]) -> tuple[int, str, str]:
    """What waits comes first, then what holds."""
    state = access["state"]
    place = ORDER.index(state) if state in ORDER else len(ORDER)
    return (place, str(access["port"]), str(access["principal"]))


def owns(project: Project, principal: str, port: str) -> bool:
    """Whether a principal decides on a port, as the access service sees it."""
    product = port.partition(".")[0]
    return principal == product or principal in project.owners_of(product)


def act_of(form: Mapping[str, str]) -> Mapping[str, object]:
    """What the access service is sent. Raises `WrongUse` for a term that is no number."""
    names = ("port", "principal", "purpose", "reason")
    given: dict[str, object] = {name: form[name] for name in names if form.get(name)}
    term = form.get("for_s", "0")
    if not term.isdecimal():
        raise WrongUse("a term is a number of seconds, or 0 until it is revoked")
    return {**given, **({"for_s": int(term)} if int(term) else {})}
