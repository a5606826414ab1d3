"""The one door into the catalogue, whichever way a descriptor came.

It judges, writes what holds to the topic of accepted products and says what the attempt met; a
descriptor that is refused leaves what was accepted before as it was. Not here: tokens (`api`),
the bus (`intake`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from catalog.acceptance import judge
from catalog.store import Store
from catalog.verdict import Found, Verdict, Via
from mesh.backbone.bus import Bus
from mesh.contract.catalogue import PRODUCTS_TOPIC, VERDICTS_TOPIC
from mesh.contract.descriptor import Descriptor, canonical, digest_of
from mesh.contract.names import is_kebab, listed
from mesh.errors import InvalidFile

__all__ = ["Desk"]


class Domains(Protocol):
    """The domain of each principal that may describe a product, by its name."""

    def __call__(self, age_s: float = ..., /) -> Mapping[str, str]:
        """What was true at most *age_s* ago."""


class Desk:
    """Takes descriptors, one at a time. *domains* has the domain of each principal that may."""

    def __init__(self, store: Store, bus: Bus, domains: Domains) -> None:
        self.store = store
        self._bus, self.domains = bus, domains
        self._lock = threading.Lock()

    def submit(self, descriptor: Descriptor, via: Via) -> Verdict:
        """Judge *descriptor*, and accept it where nothing refuses it.

        What is accepted already changes nothing. Raises a `BackboneError` where Kafka does not
        take what was found.
        """
        with self._lock:
            said = self._said_already(descriptor)
            if said is not None:
                return said
            domain = self.domains().get(descriptor.id) or self.domains(0.0).get(descriptor.id)
            if domain is None:
                return self._said(stranger(descriptor.id, via))
            found = judge(descriptor, self.store.project, domain)
            accepted = found.accepted
            if accepted is not None and not self._stands(descriptor.id, found.digest):
                self._bus.write(PRODUCTS_TOPIC, descriptor.id, accepted.as_record())
                self.store.keep(accepted, now())
            return self._said(
                Verdict(
                    id=descriptor.id,
                    state="refused" if accepted is None else "accepted",
                    via=via,
                    digest=found.digest,
                    findings=found.findings,
                )
            )

    def refuse(self, id_: str, via: Via, found: Found) -> Verdict:
        """Say that what came for a product could not even be read."""
        with self._lock:
            return self._said(Verdict(id=id_, state="refused", via=via, findings=(found,)))

    def withdraw(self, id_: str, via: Via) -> Verdict:
        """Take a product out of the catalogue, unless others read it."""
        with self._lock:
            readers = self._readers(id_)
            if readers:
                problem = f"{listed(readers)} read{'s' * (len(readers) == 1)} {id_}"
                found = error("still-read", problem, "withdraw it when its last reader has left")
                return self._said(Verdict(id=id_, state="refused", via=via, findings=(found,)))
            if self.store.product(id_) is not None:
                self._bus.write(PRODUCTS_TOPIC, id_, None)
                self.store.drop(id_)
            return self._said(Verdict(id=id_, state="withdrawn", via=via))

    def _said_already(self, descriptor: Descriptor) -> Verdict | None:
        """The last verdict, where the same was accepted last and nothing has changed since."""
        last = self.store.verdict(descriptor.id)
        if last is None or last[0].state != "accepted":
            return None
        try:
            digest = digest_of(canonical(descriptor))
        except InvalidFile:
            return None
        same = last[0].digest == digest and self._stands(descriptor.id, digest)
        # Warnings are about others too, who may have come since.
        return last[0] if same and not last[0].findings else None

    def _stands(self, id_: str, digest: str) -> bool:
        kept = self.store.product(id_)
        return kept is not None and kept.accepted.digest == digest

    def _readers(self, id_: str) -> list[str]:
        """Other products that read a port of this one."""
        kept = self.store.product(id_)
        if kept is None:
            return []
        own = {each.id for each in kept.accepted.product.contracts}
        others = (each for each in self.store.project.products.values() if each.id != id_)
        return [each.id for each in others if own & {port.contract_id for port in each.inputs}]

    def _said(self, verdict: Verdict) -> Verdict:
        last = self.store.verdict(verdict.id)
        is_news = last is None or last[0] != verdict
        if is_news and verdict.id in self.domains():
            self._bus.write(VERDICTS_TOPIC, verdict.id, verdict.as_record())
            self.store.note(verdict, now())
        return verdict


def stranger(id_: str, via: Via) -> Verdict:
    """What is said to a product that nobody made a principal."""
    name = id_ if is_kebab(id_) else "NAME"
    found = error(
        "identity",
        "no principal of this name has a descriptor topic",
        f"`mesh principal add {name} --domain DOMAIN` makes one",
    )
    return Verdict(id=id_, state="refused", via=via, findings=(found,))


def error(rule: str, problem: str, remedy: str) -> Found:
    """Something about the product as a whole."""
    return Found(level="error", rule=rule, place="product.yaml", problem=problem, remedy=remedy)


def now() -> datetime:
    """The time now."""
    return datetime.now(UTC)
