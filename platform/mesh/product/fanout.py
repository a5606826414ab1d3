"""Bounds what one transaction publishes: a batch that makes too much is taken in by halves.

    for batch in taken_in(engine.take_in, arrivals, offsets):
        relay.publish(batch)

A transaction that outlasts its time-out is ended by the broker, and the batch would be tried for
ever. What one message causes stays in one transaction; where that alone is too much, the query
refuses the message (`transform`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mesh.product.intake import Arrival
from mesh.product.position import Batch, Offsets
from mesh.product.transform import CAUSE, MOST_BYTES, MOST_ROWS, TooMuch

__all__ = ["check_fan_out", "taken_in"]

TakeIn = Callable[..., Iterable[Batch]]


def taken_in(
    take_in: TakeIn, arrivals: Sequence[Arrival], offsets: Offsets, **options: Any
) -> Iterator[Batch]:
    """The batches to publish of *arrivals*, each yielded once it is committed.

    *take_in* is `Engine.take_in`; *offsets* are those after all of *arrivals*.
    """
    try:
        batches = take_in(arrivals, offsets, **options)
    except TooMuch:
        first, second = halves(arrivals)
        # What is asked for once more stands on another topic than what it repeats.
        between = {t: each for t, each in offsets_after(first).items() if t in offsets}
        yield from taken_in(take_in, first, between, **options)
        yield from taken_in(take_in, second, offsets, **options)
    else:
        yield from batches


def check_fan_out(arrivals: Sequence[Arrival], messages: Sequence[pa.Table]) -> None:
    """Raise `TooMuch` where *arrivals*, which could be halved, cause more than one transaction."""
    count, size = sum(each.num_rows for each in messages), sum(each.nbytes for each in messages)
    is_divisible = sum(each.causes.num_rows for each in arrivals) > 1
    if is_divisible and (count > MOST_ROWS or size > MOST_BYTES):
        raise TooMuch(f"{count} messages of {size} bytes are too many for one transaction")


def halves(arrivals: Sequence[Arrival]) -> tuple[list[Arrival], list[Arrival]]:
    """The earlier and the later messages of each arrival; neither is empty."""
    # What no message of the port caused makes no rows: it need not be cut.
    loose = [each for each in arrivals if not each.causes.num_rows]
    whole = [each for each in arrivals if each.causes.num_rows]
    if all(each.causes.num_rows == 1 for each in whole):
        return [*loose, *whole[:1]], whole[1:]
    cuts = [(each, each.causes.num_rows // 2) for each in whole]
    first = [part(each, 0, cut) for each, cut in cuts if cut]
    second = [part(each, cut, each.causes.num_rows) for each, cut in cuts]
    return [*loose, *first], second


def part(arrival: Arrival, start: int, stop: int) -> Arrival:
    """The messages *start* to *stop* of *arrival*, and what became of them."""
    causes = arrival.causes.slice(start, stop - start)
    places = set(zip(causes["partition"].to_pylist(), causes["offset"].to_pylist(), strict=True))
    found = arrival.rows[CAUSE]
    rows = arrival.rows.filter(pc.and_(pc.greater_equal(found, start), pc.less(found, stop)))
    place = rows.schema.get_field_index(CAUSE)
    field = pa.field(CAUSE, pa.int64())
    return replace(
        arrival,
        rows=rows.set_column(place, field, pc.subtract(rows[CAUSE], start)),
        causes=causes,
        deletions=tuple(
            replace(each, cause=each.cause - start)
            for each in arrival.deletions
            if start <= each.cause < stop
        ),
        asks=arrival.asks[start:stop],
        rejections=tuple(
            each for each in arrival.rejections if (each.partition, each.offset) in places
        ),
    )


def offsets_after(arrivals: Sequence[Arrival]) -> Offsets:
    """The offsets after the messages of *arrivals*."""
    offsets: Offsets = {}
    for each in arrivals:
        columns = (each.causes[name].to_pylist() for name in ("topic", "partition", "offset"))
        for topic, number, offset in zip(*columns, strict=True):
            offsets.setdefault(topic, {})[number] = offset + 1
    return offsets
