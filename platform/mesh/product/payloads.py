"""Which messages are payloads of which schema, which are tombstones, and which are neither.

Told from a batch's keys and values as columns: what Python does once a message takes as long as
decoding it. Not here: decoding (`mesh.backbone.avro`), and what rows come of it (`intake`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.keys import is_text
from mesh.backbone.wire import Unreadable, schema_ids, unframe
from mesh.contract.arrays import to_mask
from mesh.product.outbox import LARGEST_MESSAGE
from mesh.product.rejection import Fault

__all__ = ["KEY", "MESSAGE", "Deletion", "Group", "deletions_in", "groups_in"]

MESSAGE, KEY, SIZE = "message", "key", "size"
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A tombstone: the row with *key*, if it came before message *cause*, is to go."""

    cause: int
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The messages of one writer's schema: their *places* in the batch, and their *values*."""

    schema_id: int
    places: Ints
    values: pa.Array


def deletions_in(keys: pa.Array, values: pa.Array, faults: dict[int, Fault]) -> list[Deletion]:
    """The tombstones; what names no row goes to *faults*."""
    deletions = []
    for place in pc.indices_nonzero(values.is_null()).to_pylist() if values.null_count else ():
        key = keys[place].as_py()
        if key is not None and is_text(key):
            deletions.append(Deletion(cause=place, key=key))
        else:
            reason = "a tombstone must name its row by the message's key, as UTF-8 text"
            faults[place] = Fault(field=None, rule=KEY, reason=reason)
    return deletions


def groups_in(keys: pa.Array, values: pa.Array, faults: dict[int, Fault]) -> Iterator[Group]:
    """The payloads by the schema that they name; what is none goes to *faults*."""
    has_value = to_mask(values.is_valid())
    sizes = pc.add(pc.binary_length(values), pc.fill_null(pc.binary_length(keys), 0))
    is_large = has_value & to_mask(pc.fill_null(pc.greater(sizes, LARGEST_MESSAGE), False))
    reason = f"the message is larger than {LARGEST_MESSAGE} bytes"
    for place in np.flatnonzero(is_large).tolist():
        faults[place] = Fault(field=None, rule=SIZE, reason=reason)
    ids, is_due = schema_ids(values), has_value & ~is_large
    for place in np.flatnonzero(is_due & (ids < 0)).tolist():
        framed = unframe(values[place].as_py())
        assert isinstance(framed, Unreadable)  # noqa: S101 - both say the same, for the type checker
        faults[place] = Fault(field=None, rule=MESSAGE, reason=framed.reason)
    for schema_id in np.unique(ids[is_due & (ids >= 0)]).tolist():
        places = np.flatnonzero(is_due & (ids == schema_id))
        found = values if len(places) == len(values) else values.take(pa.array(places))
        yield Group(schema_id=schema_id, places=places, values=found)
