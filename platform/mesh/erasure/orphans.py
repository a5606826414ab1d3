"""Rows that a product still says, though the message that they came from is no longer there.

A staging topic keeps messages for days, and a port for years. The product knows its row by the
key, so a tombstone erases it whether or not the staging topic has the message.
Not here: rows of which the key says nothing, and those that no system of this project sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.contract.model import Contract
from mesh.erasure.places import Place
from mesh.erasure.search import Found

__all__ = ["orphans"]


def orphans(found: Iterable[Found]) -> dict[str, dict[bytes, int]]:
    """By staging topic: the keys that standing rows of ports must have come by, and where."""
    its = {each.place.topic: each for each in found}
    staging = {topic: each.place for topic, each in its.items() if each.place.kind == "staging"}
    missing: dict[str, dict[bytes, int]] = {}
    for each in its.values():
        for key in each.standing if each.place.kind == "port" else ():
            topic, partition = each.causes.get(key, ("", 0))
            if topic in staging and is_same_key(staging[topic], each.place):
                missing.setdefault(topic, {})[key] = partition
    return missing


def is_same_key(source: Place, port: Place) -> bool:
    """Whether the key of a port's row is that of the message which it came from."""
    return (
        source.contract is not None
        and port.contract is not None
        and key_of(source.contract) == key_of(port.contract)
    )


def key_of(contract: Contract) -> list[tuple[str, str]]:
    """Name and kind of each field of the key."""
    return [(each.name, each.type.kind) for each in contract.key_fields]
