"""Whether what is marked as erased was: an erasure says on its topic which messages it took.

A mark that no record covers is a message that somebody removed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mesh.audit.findings import Findings
from mesh.audit.origin import LogName, id_text
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded
from mesh.contract.audit import ERASURE_SCHEMA, ERASURES_TOPIC
from mesh.erasure.saying import digest
from mesh.product.readback import read_back

__all__ = ["Marks", "Records", "recorded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What was said of erasures: *digests* by request and topic id.

    *cleaned_ms* has the last one's time by topic id; old tombstones went with what it took.
    """

    digests: Mapping[tuple[str, str], Collection[str]]
    cleaned_ms: Mapping[str, int] = field(default_factory=dict)


def recorded(endpoint: Endpoint, principal: Principal) -> Records:
    """What was said of every erasure. Raises a `BackboneError`."""
    digests: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    cleaned: dict[str, int] = {}
    for chunk in read_back(endpoint, principal, ERASURES_TOPIC):
        for message in chunk:
            try:
                record = decoded(message.value() or b"", ERASURE_SCHEMA)
            except ValueError:
                continue  # what says nothing covers nothing
            for each in record["topics"]:
                digests[record["request"], each["topic_id"]].add(each["digest"])
                cleaned[each["topic_id"]] = message.timestamp()[1]
    return Records(digests=digests, cleaned_ms=cleaned)


class Marks:
    """Every entry that is marked as erased."""

    def __init__(self) -> None:
        self._places: defaultdict[tuple[str, LogName], set[tuple[int, int]]] = defaultdict(set)

    def add(self, log: LogName, request: str, offset: int) -> None:
        """Note that *request* is said to have erased the message at *offset*."""
        whole = LogName(mesh=log.mesh, topic=log.topic, topic_id=log.topic_id, partition=0)
        self._places[request, whole].add((log.partition, offset))

    def judge(self, records: Records, findings: Findings) -> int:
        """How many of them an erasure covers; tell of the others."""
        covered = 0
        for (request, log), places in self._places.items():
            if digest(places) in records.digests.get((request, id_text(log.topic_id)), ()):
                covered += len(places)
                continue
            many = f"{len(places):,} messages are" if len(places) > 1 else "it is"
            words = f"{many} marked as erased by {request!r}, and no record covers just that"
            for partition, offset in sorted(places):
                source = f"{log.topic} [{partition}]"
                findings.add("missing", "opening", source, f"offset {offset}", words=words)
        return covered
