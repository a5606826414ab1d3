"""Telephony, the call centre's own system: one record a finished call, and no contract anywhere.

It sees a phone number, its agents, its queues and its sites. Who called, and about which contract,
it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from company.calls import MOST_CALLS, QUEUES, Calls, calls
from company.draws import Ints, Stream
from company.identifiers import agent_ids
from company.world import World, build
from mesh.errors import WrongUse

__all__ = ["FINISHED_CALL", "Telephony", "finished_calls"]

FINISHED_CALL = pa.schema(
    [
        pa.field("call_id", pa.string(), nullable=False),
        pa.field("phone_number", pa.string(), nullable=False),
        pa.field("queue", pa.string(), nullable=False),
        pa.field("agent_id", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("site", pa.string()),
        pa.field("started_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("ended_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)

_AGENTS = 120
_SITES = ("Nordahaven", "Sudliburgh", "Estramouth")
_REASONS = {
    "billing": ("amount unclear", "invoice missing", "payment plan", "payer changes"),
    "porting": ("number comes", "number leaves", "number swapped"),
    "technical": ("no signal", "slow internet", "router", "voicemail"),
    "sales": ("new contract", "upgrade", "offer"),
    "cancellation": ("moves away", "too expensive", "other operator"),
    "general": ("address", "opening hours", "other"),
}
_NO_REASON_PER_MILLE = 100


@dataclass(frozen=True, slots=True)
class Telephony:
    """The operational system that `call-center` reads; a `mesh.product.systems.System`."""

    principal: str = "telephony"
    usual_count: int = 1_000

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 20_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield *count* records from number *start* on, in the order in which calls began.

        All of them go to the input port `finished-calls`.

        Raises `WrongUse` beyond the ten million calls that the world has.
        """
        stop = start + count
        if start < 0 or count < 0 or stop > MOST_CALLS:
            raise WrongUse(
                f"the world has calls 0 to {MOST_CALLS - 1:,}: ask for fewer than {count:,}"
                f" from {start:,} on"
            )
        world = build(seed)
        for begin in range(start, stop, batch_rows):
            index = np.arange(begin, min(begin + batch_rows, stop), dtype=np.int64)
            yield {"finished-calls": finished_calls(world, calls(world, index))}


def finished_calls(world: World, made: Calls) -> pa.Table:
    """Return what telephony records of the calls *made*."""
    agent = _stream(world.seed, "agent").below(made.index, _AGENTS)
    numbers = pa.array(world.phone_numbers)
    columns = [
        pa.array(_call_ids(world.seed, made.index)),
        numbers.take(pa.array(world.tenures.number[made.tenure])),
        pa.array(QUEUES).take(pa.array(made.queue)),
        pa.array(agent_ids(np.arange(_AGENTS))).take(pa.array(agent, mask=made.is_abandoned)),
        _reasons(world.seed, made),
        pa.array(_SITES).take(pa.array(agent % len(_SITES))),
        pa.array(made.started).cast(FINISHED_CALL.field("started_at").type),
        pa.array(made.ended).cast(FINISHED_CALL.field("ended_at").type),
    ]
    return pa.table(columns, schema=FINISHED_CALL)


def _reasons(seed: int, made: Calls) -> pa.Array:
    """Return why they called; nobody notes it for an abandoned call, nor for some others."""
    every = [reason for queue in QUEUES for reason in _REASONS[queue]]
    counts = np.array([len(_REASONS[queue]) for queue in QUEUES])
    first = np.cumsum(counts) - counts
    position = first[made.queue] + _stream(seed, "reason").below(made.index, counts[made.queue])
    is_missing = _stream(seed, "has_no_reason").chance(made.index, _NO_REASON_PER_MILLE)
    return pa.array(every).take(pa.array(position, mask=is_missing | made.is_abandoned))


def _call_ids(seed: int, index: Ints) -> list[str]:
    """Return UUIDs of version 8 (RFC 9562): 122 drawn bits."""
    high = _stream(seed, "id_high").words(index)
    low = _stream(seed, "id_low").words(index)
    high = (high & np.uint64(0xFFFFFFFFFFFF0FFF)) | np.uint64(0x8000)
    low = (low & np.uint64(0x3FFFFFFFFFFFFFFF)) | np.uint64(0x8000000000000000)
    text = np.stack([high, low], axis=1).astype(">u8").tobytes().hex()
    return [
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-{text[at + 12 : at + 16]}"
        f"-{text[at + 16 : at + 20]}-{text[at + 20 : at + 32]}"
        for at in range(0, len(text), 32)
    ]


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="call", attribute=attribute)
