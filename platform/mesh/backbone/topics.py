"""Topics as contracts ask for them; what a broker has is compared with it, never mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.contract.model import Contract

__all__ = [
    "Difference",
    "Topic",
    "cleanup_policy",
    "rejected_topic",
    "retry_topic",
    "single_topic",
    "topic_of",
]

DAY_MS = 24 * 60 * 60 * 1000
# Bad input may hold anything, personal data too: it is not kept longer than a week.
REJECTED_RETENTION_MS = 7 * DAY_MS
# The change audit log reads every record of a state topic before compaction may drop it.
COMPACTION_LAG_MS = DAY_MS
# How long a consumer may be away and still see every deletion.
TOMBSTONES_KEPT_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting in which a topic is not what its contract says."""

    topic: str
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, the contract says {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic as it should be: partitions and the settings that matter to its promise."""

    name: str
    partitions: int
    config: Mapping[str, str]

    def differences(self, partitions: int, config: Mapping[str, str]) -> list[Difference]:
        """Where *partitions* and *config*, as found, are not this topic's."""
        pairs = [("partitions", str(self.partitions), str(partitions))]
        pairs += [(name, value, config.get(name, "absent")) for name, value in self.config.items()]
        return [
            Difference(topic=self.name, setting=name, wanted=wanted, found=found)
            for name, wanted, found in pairs
            if set(wanted.split(",")) != set(found.split(","))
        ]


def topic_of(contract: Contract) -> Topic:
    """The topic that *contract* promises."""
    config = {
        "cleanup.policy": cleanup_policy(contract),
        # `-1` is Kafka's word for "for ever".
        "retention.ms": str(contract.retention_ms if contract.retention_ms is not None else -1),
    }
    if "compact" in config["cleanup.policy"]:
        config["delete.retention.ms"] = str(TOMBSTONES_KEPT_MS)
    if contract.kind == "state":
        config["min.compaction.lag.ms"] = str(COMPACTION_LAG_MS)
    if contract.topic.startswith("pub."):
        config["message.timestamp.type"] = "LogAppendTime"
    return Topic(name=contract.topic, partitions=contract.partitions, config=config)


def cleanup_policy(contract: Contract) -> str:
    """State is compacted; events age out, and can be erased by key where they are personal."""
    if contract.kind == "state":
        return "compact"
    is_of_persons = contract.has_personal_fields or contract.masked_from is not None
    return "compact,delete" if is_of_persons else "delete"


def rejected_topic(name: str) -> Topic:
    """Where what breaks a contract is kept, with the reason; compacted by an erasure alone."""
    kept = str(REJECTED_RETENTION_MS)
    return Topic(
        name=name,
        partitions=1,
        config={
            "cleanup.policy": "compact,delete",
            "retention.ms": kept,
            "min.compaction.lag.ms": kept,
        },
    )


def retry_topic(name: str) -> Topic:
    """Where it is asked for again, kept as long; its keys are those of other topics, or none."""
    config = {"cleanup.policy": "delete", "retention.ms": str(REJECTED_RETENTION_MS)}
    return Topic(name=name, partitions=1, config=config)


def single_topic(name: str) -> Topic:
    """A compacted topic of one partition, for the position of a relay."""
    return Topic(name=name, partitions=1, config={"cleanup.policy": "compact"})
