"""The ladder of data products: on which rung one stands, computed from what was seen of it.

    dump        its data is there, once
    refreshed   it came again, on the declared schedule
    contracted  the owner accepted the contract, and its tests pass on the real data
    live        an event or state port kept inside its SLA for 24 hours
    certified   that for 7 days, its quarantine under the limit, and at least one reader

No rung is held without all below it, and each is lost when its evidence goes stale.
Not here: the proofs (`proofs`, `levels`), and who collects the evidence (the catalogue).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from mesh.contract.evidence import (
    RUNGS,
    Delivery,
    Evidence,
    Proof,
    Rung,
    Sight,
    Standing,
    Trial,
)
from mesh.contract.levels import SIGHT_S, is_certified, is_live
from mesh.contract.model import Product
from mesh.contract.proofs import came, digest_of, is_contracted

__all__ = [
    "RUNGS",
    "SIGHT_S",
    "Delivery",
    "Evidence",
    "Proof",
    "Rung",
    "Sight",
    "Standing",
    "Trial",
    "digest_of",
    "rung_of",
    "standing",
    "until",
]

_Seen = TypeVar("_Seen", Delivery, Trial, Sight)


def standing(product: Product, evidence: Evidence, now: datetime) -> Standing:
    """The standing of *product* as of *now*; what was seen later does not count."""
    seen = until(evidence, now)
    demands = [
        *came(product, seen, now),
        *is_contracted(product, seen, now),
        *is_live(product, seen, now),
        *is_certified(product, seen, now),
    ]
    proofs = tuple(each.proof for each in demands)
    unmet = next((each for each in demands if not each.proof.is_met), None)
    step = f"{unmet.remedy} ({unmet.proof.rung})" if unmet else "keep it so: this is the top"
    return Standing(rung=rung_of(proofs), evidence=proofs, next_step=step)


def rung_of(proofs: Iterable[Proof]) -> Rung:
    """The highest rung of which every proof is met, and every proof of those below."""
    unmet = {each.rung for each in proofs if not each.is_met}
    reached = RUNGS[0]
    for rung in RUNGS[1:]:
        if RUNGS[0] in unmet or rung in unmet:
            break
        reached = rung
    return reached


def until(evidence: Evidence, now: datetime) -> Evidence:
    """What was seen by *now*, in the order of time."""

    def sort(found: Iterable[_Seen]) -> tuple[_Seen, ...]:
        return tuple(sorted((each for each in found if each.at <= now), key=lambda one: one.at))

    return Evidence(
        deliveries=sort(evidence.deliveries),
        tests=sort(evidence.tests),
        sights=sort(evidence.sights),
        readers={name: at for name, at in evidence.readers.items() if at <= now},
    )
