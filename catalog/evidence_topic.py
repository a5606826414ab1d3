"""The catalogue's evidence topic: what was observed is written there, and read back at its start.

One record an observation, told apart by its `kind`; each kind has whoever takes it back. Not
here: what is observed (`lineage_kept`, `ladder_kept`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mesh.backbone.bus import Bus
from mesh.contract.catalogue import EVIDENCE_TOPIC

__all__ = ["Take", "read_evidence", "write_evidence"]

# Takes back one observation of a product. Raises `ValueError`, `KeyError`, `TypeError` or
# `AttributeError` where it is none of its own.
Take = Callable[[str, Mapping[str, Any]], None]


def write_evidence(bus: Bus, product: str, at: datetime, observation: Mapping[str, Any]) -> None:
    """Write one observation. Raises a `BackboneError` where Kafka does not take it."""
    text = json.dumps(observation, separators=(",", ":"))
    record = {"product": product, "observed_at": at, "observation": text}
    bus.write(EVIDENCE_TOPIC, product, record)


def read_evidence(
    bus: Bus, takers: Mapping[str, Take], log: Callable[[str], None] = lambda _: None
) -> None:
    """Read the topic once, and hand each observation to the taker of its kind, if there is one."""
    for _, record, _, _ in bus.whole(EVIDENCE_TOPIC):
        if record is None:
            continue
        try:
            observation = json.loads(record["observation"])
            take = takers.get(observation.get("kind"))
            if take is not None:
                take(record["product"], observation)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log(f"evidence of {record.get('product')} cannot be read any more: {error}")
