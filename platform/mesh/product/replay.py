"""Whether a product's storage can be made anew from the topics, before anything is touched.

Not here: making it anew, which is what happens after any loss (`recovery`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.product.plan import Input, Plan
from mesh.product.position import Offsets, Position
from mesh.product.readback import reader

__all__ = ["Range", "Verdict", "check_replay", "judge", "ranges_of"]

TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The first offset that a partition has, and the one after its last."""

    low: int
    high: int


Ranges = Mapping[str, Mapping[int, Range]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What forbids a replay (*missing*), and what it cannot bring back (*gaps*), in words."""

    missing: tuple[str, ...]
    gaps: tuple[str, ...]


def check_replay(
    plan: Plan, position: Position | None, endpoint: Endpoint, principal: Principal
) -> tuple[str, ...]:
    """What a replay of *plan*, published up to *position*, cannot bring back.

    Raises `StorageError` where state ports would lose what they were made of, naming topic,
    partition and offsets.
    """
    contracts = [each.contract for each in plan.inputs]
    verdict = judge(
        plan, position.offsets if position else {}, ranges_of(contracts, endpoint, principal)
    )
    if verdict.missing:
        raise StorageError(
            f"{plan.product.id} cannot be replayed, and nothing was touched: "
            + "; ".join(verdict.missing)
        )
    return verdict.gaps


def judge(plan: Plan, published: Offsets, ranges: Ranges) -> Verdict:
    """Compare what is there with what was published up to."""
    counted = {name for each in plan.states for name in each.query.inputs}
    missing: list[str] = []
    gaps: list[str] = []
    for source in plan.inputs:
        topic = source.contract.topic
        for number, found in sorted(ranges[topic].items()):
            end = published.get(topic, {}).get(number, 0)
            if found.high < end:
                missing.append(
                    f"{topic} [{number}] ends at offset {found.high}, and all before {end} was "
                    "published: it was made anew"
                )
            elif found.low > 0:
                place = f"{topic} [{number}] has lost offsets 0 to {found.low}"
                if source.contract.kind == "state" or source.name in counted:
                    missing.append(f"{place}, of which {', '.join(made_of(plan, source))} is made")
                else:
                    gaps.append(f"{place}: what was made of them stays published")
    return Verdict(missing=tuple(missing), gaps=tuple(gaps))


def made_of(plan: Plan, source: Input) -> Iterator[str]:
    """The ports that need all of *source*; itself where none does."""
    found = [each.contract.id for each in plan.states if source.name in each.query.inputs]
    yield from found or [f"the input {source.name}"]


def ranges_of(
    contracts: list[Contract], endpoint: Endpoint, principal: Principal
) -> dict[str, dict[int, Range]]:
    """What every partition of the contracts' topics holds. Raises a `BackboneError`."""
    consumer = reader(endpoint, principal, "replay")
    try:
        return {
            each.topic: {
                number: Range(low=low, high=high)
                for number in range(each.partitions)
                for low, high in [
                    consumer.get_watermark_offsets(
                        TopicPartition(each.topic, number), TIMEOUT_S, cached=False
                    )
                ]
            }
            for each in contracts
        }
    except KafkaException as exception:
        raise kafka_error(exception.args[0], "look at the inputs") from exception
    finally:
        consumer.close()
