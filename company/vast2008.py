"""Who had which phone in the calls of the VAST Challenge 2008: five people changed theirs.

A phone there is a number from 0 to 399, and here a number in E.164, as `company/mappings` has it.
A person is called by the phone that he had at first. The contest's answer is that those around
phone 200 took other phones on 8 June 2006; who used the old ones after that, nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from company.identifiers import person_ids

__all__ = ["CHANGED", "CHANGED_AT", "STATEMENT", "phone_persons"]

CHANGED = {200: 300, 1: 309, 5: 306, 3: 360, 2: 397}
"""The old phone of each person who changed, and the new one."""

CHANGED_AT = datetime(2006, 6, 8, tzinfo=UTC)

_INSTANT = pa.timestamp("us", tz="UTC")
STATEMENT = pa.schema(
    [
        pa.field("statement_id", pa.string(), nullable=False),
        pa.field("link_id", pa.string(), nullable=False),
        pa.field("from_id", pa.string(), nullable=False),
        pa.field("to_id", pa.string(), nullable=False),
        pa.field("valid_from", _INSTANT),
        pa.field("valid_to", _INSTANT),
        pa.field("retracted", pa.bool_(), nullable=False),
    ]
)
"""What every relation port holds: one row a statement about a link."""


def phone_persons(phones: Iterable[int] = range(400)) -> pa.Table:
    """Return the links from *phones* to the persons who had them, as statements of a relation.

    A phone that was taken over has two links, one that was given up has one that ends.
    """
    owners = {new: old for old, new in CHANGED.items()}
    rows = []
    for phone in phones:
        changes = phone in CHANGED or phone in owners
        rows.append(_link(phone, phone, None, CHANGED_AT if changes else None))
        if phone in owners:
            rows.append(_link(phone, owners[phone], CHANGED_AT, None))
    return pa.Table.from_pylist(rows, schema=STATEMENT)


def _link(
    phone: int, person: int, valid_from: datetime | None, valid_to: datetime | None
) -> dict[str, object]:
    link = f"phone-{phone:04}-{person:04}"
    return {
        "statement_id": f"{link}-1",
        "link_id": link,
        "from_id": f"+1202555{phone:04}",
        "to_id": person_ids(np.array([person]))[0],
        "valid_from": valid_from,
        "valid_to": valid_to,
        "retracted": False,
    }
