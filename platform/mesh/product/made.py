"""What a port's query made of an arrival: rows, their messages, and what was refused of them.

Not here: making it (`engine`), and who may be replayed (`replays`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from mesh.backbone.keys import keys
from mesh.product.intake import Arrival
from mesh.product.outbox import event_ids
from mesh.product.plan import Output
from mesh.product.rejection import SUPERSEDED, Rejection
from mesh.product.retry import Ask, Place
from mesh.product.transform import CAUSE

__all__ = ["Made", "origin", "superseded", "unpublished", "with_keys"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What one port's query made of an arrival; *messages* are those of *rows*, in order."""

    output: Output
    rows: pa.Table
    messages: pa.Table
    rejections: Sequence[Rejection]


def unpublished(made: Made, arrival: Arrival) -> Made:
    """What of *made* is not on the port's topic: of each cause all that is missing, or nothing.

    So whoever asks twice at once never has the same row twice: what still breaks the contract
    keeps its siblings waiting, and ids go on after those that are published.
    """
    asks = {each.origin: each for each in arrival.asks}
    rejections = [*arrival.rejections, *made.rejections]
    bad = {origin(each) for each in rejections}
    causes = arrival.causes.take(made.rows[CAUSE].combine_chunks())
    columns = [causes[each].to_pylist() for each in ("topic", "partition", "offset")]
    places = zip(*columns, strict=True)
    keyed = zip(places, made.messages["key"].to_pylist(), strict=True)
    wanted, ordinals = list[int](), list[int]()
    numbers = {place: len(ask.published) for place, ask in asks.items()}
    for number, (place, key) in enumerate(keyed):
        if place in bad or key.decode() in asks[place].published:
            continue
        wanted.append(number)
        ordinals.append(numbers[place])
        numbers[place] += 1
    indices = pa.array(wanted, pa.int64())
    messages = made.messages.take(indices)
    ids = event_ids(causes.take(indices), pa.array(ordinals, pa.int64()))
    position = messages.schema.get_field_index("id")
    return replace(
        made,
        rows=made.rows.take(indices),
        messages=messages.set_column(position, "id", ids),
        rejections=[replace(each, attempt=asks[origin(each)].attempt) for each in rejections],
    )


def superseded(ask: Ask, reason: str) -> Rejection:
    """That *ask* comes too late; without the message, which is not kept any longer for it."""
    topic, partition, offset = ask.origin
    return Rejection(
        topic=topic,
        partition=partition,
        offset=offset,
        key=None,
        value=None,
        field=None,
        rule=SUPERSEDED,
        reason=reason,
        trace=ask.trace,
        attempt=ask.attempt,
    )


def origin(rejection: Rejection) -> Place:
    """Where what was rejected came from."""
    return rejection.topic, rejection.partition, rejection.offset


def with_keys(arrival: Arrival) -> pa.Table:
    """The causes of *arrival* with the `key` of those that became a row."""
    rows = arrival.rows
    found = keys(rows.drop_columns([CAUSE]), arrival.source.contract)
    causes = rows[CAUSE].to_pylist()
    places: list[int | None] = [None] * arrival.causes.num_rows
    for number, cause in enumerate(causes):
        places[cause] = number
    return arrival.causes.append_column("key", found.take(pa.array(places, pa.int64())))
