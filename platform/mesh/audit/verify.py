"""Everything that the mesh has logged, computed anew: logs, live topics, and products' rows.

    verdict = verify(sources, say)

Nothing that the audit service says of itself is believed, but what the trusted key has signed.
Not here: the logs of one topic (`topic`), one log (`recount`), one partition (`live`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.erasures import recorded
from mesh.audit.findings import FAULTS, Findings
from mesh.audit.note import LogKey
from mesh.audit.origin import LogName, id_text
from mesh.audit.policies import Policy
from mesh.audit.served import Served
from mesh.audit.told import Port
from mesh.audit.topic import POLL_S, Bench, Subject, check_topic
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import Unproven
from mesh.product.public_topics import Found, Topics
from mesh.product.readback import read_back, reader

__all__ = ["Sources", "Verdict", "verify"]

# Logs of new topics, and entries of new messages, may take so long to come.
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is compared with what. *kept* are notes of checkpoints that somebody remembers.

    *principal* reads the topics; *schemas_topic* is where the registrar announces schemas.
    """

    served: Served
    endpoint: Endpoint
    principal: Principal
    key: LogKey
    schemas_topic: str
    ports: Sequence[Port] = ()
    kept: Sequence[str] = ()
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was looked at, and what was found."""

    entries: int
    erased: int
    findings: Findings

    def as_document(self) -> dict[str, object]:
        """As JSON."""
        found = self.findings.found
        listed: dict[str, object] = {
            fault: [
                {"what": each.what, "place": each.place, "reason": each.words}
                for each in found
                if each.fault == fault
            ]
            for fault in FAULTS
        }
        return {
            "ok": self.findings.is_fine,
            "entries": self.entries,
            **listed,
            "erased": self.erased,
            "left_out": sum(self.findings.left_out.values()),
        }


def verify(sources: Sources, say: Callable[[str], None] = lambda _: None) -> Verdict:
    """Verify everything. Raises a `MeshError` where something cannot be read."""
    findings = Findings()
    topics = Topics(sources.endpoint, sources.principal)
    found = topics.look()
    configs = topics.configs([*found])
    kept = kept_checkpoints(sources, findings)
    paths = served_paths(sources, found, findings)
    for path in sorted({*kept} - {each for those in paths.values() for each in those}):
        words = "a checkpoint was kept of it, and it is not served"
        findings.add("missing", "log", source_of(path), words=words)
    announced = announced_schemas(sources)
    records = recorded(sources.endpoint, sources.principal)
    ports = {each.contract.topic: each for each in sources.ports}
    with closing(reader(sources.endpoint, sources.principal, "verify")) as consumer:
        bench = Bench(
            served=sources.served,
            key=sources.key,
            consumer=consumer,
            findings=findings,
            say=say,
            patience_s=sources.patience_s,
        )
        for topic in sorted(paths):
            now = found.get(topic)
            subject = Subject(
                topic=topic,
                topic_id=now.id if now else None,
                policy=Policy.of(
                    configs.get(topic, {}),
                    cleaned_ms=records.cleaned_ms.get(id_text(now.id), 0) if now else 0,
                ),
                announced=announced[topic],
                port=ports.get(topic) if now else None,
                paths=paths[topic],
                kept=kept,
            )
            check_topic(bench, subject)
    erased = bench.marks.judge(records, findings)
    return Verdict(entries=bench.entries, erased=erased, findings=findings)


def kept_checkpoints(sources: Sources, findings: Findings) -> Mapping[str, list[Checkpoint]]:
    """The checkpoints that somebody kept, by the path of their log."""
    found: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for note in sources.kept:
        try:
            checkpoint = Checkpoint.opened(note, sources.key)
            found[LogName.parse(checkpoint.origin).path].append(checkpoint)
        except Unproven as error:
            words = f"the checkpoint that was kept does not fit the key: {error}"
            source = source_of(note.partition("\n")[0])
            findings.add("altered", "checkpoint", source, words=words)
    return found


def served_paths(
    sources: Sources, topics: Mapping[str, Found], findings: Findings
) -> Mapping[str, list[str]]:
    """The path of every log, by topic; each partition has one, or comes to have it soon."""
    wanted = {
        LogName(mesh="", topic=topic, topic_id=each.id, partition=number).path
        for topic, each in topics.items()
        for number in range(each.partitions)
    }
    deadline = time.monotonic() + sources.patience_s
    while True:
        paths = {str(each["path"]).removeprefix("/logs/") for each in sources.served.logs()}
        if wanted <= paths or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    for path in sorted(wanted - paths):
        words = "the partition has no log: see why in `mesh status`"
        findings.add("missing", "log", source_of(path), words=words)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        found[path.partition("/")[0]].append(path)
    return found


def source_of(path: str) -> str:
    """How a log is called among findings, by its path or origin."""
    topic, _, partition = path.rpartition("/")
    return f"{topic.rpartition('/')[0].rpartition('/')[2]} [{partition}]"


def announced_schemas(sources: Sources) -> defaultdict[str, set[int]]:
    """The ids of the schemas that were announced for each topic."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for chunk in read_back(sources.endpoint, sources.principal, sources.schemas_topic):
        for message in chunk:
            subject, _, id_ = (message.key() or b"").decode(errors="replace").rpartition("/")
            if id_.isascii() and id_.isdigit():
                found[subject.removesuffix("-value")].add(int(id_))
    return found
