"""Reads one column of many Avro datums at once, each from its own position.

A row that cannot be read is only marked (`avro_cursor`), and what it gets has no meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.avro_cursor import Cursor, spans, varints, words_at
from mesh.backbone.avro_schema import MILLIS, MOST_MS, Node
from mesh.contract.arrays import list_array, scatter, struct_array, to_mask

__all__ = ["read"]


MOST_ITEMS = 64  # of a list: each item is one round over all rows that still have one


def read(node: Node, cursor: Cursor) -> pa.Array:
    """Return the next value of every row; what a marked row gets has no meaning."""
    if not node.is_nullable:
        return _READERS[node.kind](node, cursor)
    branch = cursor.data[cursor.at]
    cursor.move(cursor.at + 1, wrong=(branch != 0) & (branch != 2))
    present = (branch != 2 * node.null_branch) & ~cursor.marked
    if present.all():
        return _READERS[node.kind](node, cursor)
    part = cursor.select(present)
    values = _READERS[node.kind](node, part)
    cursor.merge(present, part)
    return scatter(values, present)


def _integers(node: Node, cursor: Cursor) -> pa.Array:
    values = varints(cursor)
    if node.kind == "long":
        if node.arrow == MILLIS:
            cursor.move(cursor.at, wrong=(values < -MOST_MS) | (values > MOST_MS))
        return pa.array(values).view(node.arrow)
    narrow = values.astype(np.int32)
    cursor.move(cursor.at, wrong=narrow != values)
    return pa.array(narrow).view(node.arrow)


def _floats(node: Node, cursor: Cursor) -> pa.Array:
    layout = "<f4" if node.kind == "float" else "<f8"
    values = words_at(cursor.data, cursor.at, layout)
    cursor.move(cursor.at + values.itemsize)
    return pa.array(values)


def _booleans(node: Node, cursor: Cursor) -> pa.Array:
    values = cursor.data[cursor.at]
    cursor.move(cursor.at + 1, wrong=values > 1)
    return pa.array(values == 1)


def _raw(node: Node, cursor: Cursor) -> pa.Array:
    starts, ends = spans(cursor)
    if not len(starts):
        return pa.array([], pa.binary())
    # The wanted bytes and the gaps between them alternate in the buffer, in the order of the rows:
    # that is an Arrow array already, of which each second value counts.
    offsets = np.empty(2 * len(starts), np.int32)
    offsets[0::2], offsets[1::2] = starts, ends
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(cursor.data)]
    alternating = pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
    return alternating.take(pa.array(np.arange(0, len(offsets), 2)))


def _texts(node: Node, cursor: Cursor) -> pa.Array:
    raw = _raw(node, cursor)
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        wrong = np.fromiter((not _is_utf8(value) for value in raw.to_pylist()), np.bool_, len(raw))
        cursor.move(cursor.at, wrong=wrong)
        return pc.if_else(pa.array(wrong), b"", raw).cast(pa.string())


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _symbols(node: Node, cursor: Cursor) -> pa.Array:
    positions = varints(cursor)
    wrong = (positions < 0) | (positions >= len(node.symbols))
    cursor.move(cursor.at, wrong=wrong)
    return pa.array(node.symbols, pa.string()).take(pa.array(np.where(wrong, 0, positions)))


def _decimals(node: Node, cursor: Cursor) -> pa.Array:
    """Read big-endian two's complement of 1 to 16 bytes."""
    starts, ends = spans(cursor)
    sizes = ends - starts
    low = words_at(cursor.data, ends - 8, ">i8").astype(np.int64)
    high = words_at(cursor.data, ends - 16, ">i8").astype(np.int64)
    # Bytes before the first belong to others: shift them out, and the sign in.
    spare = 8 * np.clip(8 - sizes, 0, 7)
    low = np.where(sizes < 8, (low << spare) >> spare, low)
    spare = 8 * np.clip(16 - sizes, 0, 7)
    high = np.where(sizes > 8, (high << spare) >> spare, low >> 63)
    buffers = [None, pa.py_buffer(np.column_stack([low, high]))]
    values = pa.Array.from_buffers(node.arrow, len(sizes), buffers)
    largest = pa.scalar(_largest(node.arrow), node.arrow)
    fits = pc.and_(pc.less_equal(values, largest), pc.greater_equal(values, pc.negate(largest)))
    cursor.move(cursor.at, wrong=(sizes < 1) | (sizes > 16) | ~to_mask(fits))
    return values


def _largest(type_: pa.DataType) -> Decimal:
    return Decimal((0, (9,) * type_.precision, -type_.scale))


def _records(node: Node, cursor: Cursor) -> pa.Array:
    children = [read(child, cursor) for child in node.children]
    return struct_array(node.arrow, len(cursor), children)


def _lists(node: Node, cursor: Cursor) -> pa.Array:
    """Read lists of one block, item by item: the first of all rows, then the second, and so on."""
    counts = varints(cursor)
    wrong = (counts < 0) | (counts > MOST_ITEMS)
    cursor.move(cursor.at, wrong=wrong)
    counts[wrong] = 0
    rounds = [pa.array([], node.arrow.value_type)]
    owners = [np.empty(0, np.int64)]
    for position in range(counts.max(initial=0)):
        going = (counts > position) & ~cursor.marked
        part = cursor.select(going)
        rounds.append(read(node.children[0], part))
        owners.append(np.flatnonzero(going))
        cursor.merge(going, part)
    filled = counts > 0
    cursor.move(cursor.at + filled, wrong=filled & (cursor.data[cursor.at] != 0))
    owner = np.concatenate(owners)
    items = pa.concat_arrays(rounds).take(pa.array(np.argsort(owner, kind="stable")))
    return list_array(node.arrow, np.bincount(owner, minlength=len(cursor)), items)


_READERS: dict[str, Callable[[Node, Cursor], pa.Array]] = {
    "string": _texts,
    "bytes": _raw,
    "int": _integers,
    "long": _integers,
    "float": _floats,
    "double": _floats,
    "boolean": _booleans,
    "enum": _symbols,
    "decimal": _decimals,
    "array": _lists,
    "record": _records,
}
