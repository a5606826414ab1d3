r"""Arrow tables to Avro datums, column by column (`bench/codec.py`: ten times fastavro).

Each column becomes one binary array of encoded pieces; joining the pieces of a row gives its
datum. Not here: reading (`avro_decode`), framing as such (`wire`).

    Encoder(avro_schema(contract)).encode(table, schema_id=7)
    # [b'\x00\x00\x00\x00\x07…', …]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.avro_schema import Node, compile_record, table_schema
from mesh.backbone.wire import header
from mesh.contract.arrays import scatter, to_mask
from mesh.errors import BackboneError

__all__ = ["Encoder"]

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]

_EMPTY = pa.scalar(b"", pa.binary())
_NULL_TAGS = (pa.scalar(b"\x00", pa.binary()), pa.scalar(b"\x02", pa.binary()))
_MOST_ROWS = 65_536
_MOST_BYTES = 256 * 1024 * 1024


class Encoder:
    """Encodes tables of one schema."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._record = compile_record(schema)
        self._schema = table_schema(self._record)

    def encode(self, table: pa.Table, schema_id: int) -> list[bytes]:
        """Return each row as a message value, as `column` does."""
        values: list[bytes] = self.column(table, schema_id).to_pylist()
        return values

    def column(self, table: pa.Table, schema_id: int) -> pa.ChunkedArray:
        """Return each row as a message value in the Confluent wire format.

        Raises `BackboneError` where a column is missing or of another type, or where null stands
        in a required field; rows are checked before (`mesh.contract.rules`).
        """
        prefix = pa.scalar(header(schema_id), pa.binary())
        values: list[pa.Array] = []
        for part in _slices(table):
            columns = self._columns(part)
            pieces = [p for node, c in columns for p in _pieces(node, c, node.name)]
            values.append(pc.binary_join_element_wise(prefix, *pieces, _EMPTY))
        return pa.chunked_array(values, pa.binary())

    def _columns(self, table: pa.Table) -> list[tuple[Node, pa.Array]]:
        columns = []
        for node in self._record.children:
            if node.name not in table.column_names:
                raise BackboneError(f"column {node.name} is missing: the schema requires it")
            columns.append((node, _of_type(table.column(node.name).combine_chunks(), node)))
        return columns


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    """Cut *table* into parts whose buffers stay small: Arrow's offsets end at 2 GiB."""
    if table.num_rows > _MOST_ROWS or (table.num_rows > 1 and table.nbytes > _MOST_BYTES):
        half = table.num_rows // 2
        yield from _slices(table.slice(0, half))
        yield from _slices(table.slice(half))
    elif table.num_rows:
        yield table


def _of_type(column: pa.Array, node: Node) -> pa.Array:
    if column.type.equals(node.arrow):
        return column
    try:
        return column.cast(node.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BackboneError(
            f"column {node.name} is {column.type}, the schema has {node.arrow}: cast it"
        ) from error


def _pieces(node: Node, array: pa.Array, path: str) -> list[pa.Array]:
    """Return arrays (or scalars) of bytes that joined make the encoded values."""
    if not node.is_nullable:
        if array.null_count:
            raise BackboneError(f"null in the required field {path}: check rows before encoding")
        return _plain(node, array, path)
    null, tag = _NULL_TAGS[node.null_branch], _NULL_TAGS[1 - node.null_branch]
    if not array.null_count:
        return [tag, *_plain(node, array, path)]
    present = array.drop_null()
    encoded = pc.binary_join_element_wise(tag, *_plain(node, present, path), _EMPTY)
    if not len(present):
        return [pa.repeat(null, len(array))]
    return [scatter(encoded, to_mask(array.is_valid())).fill_null(null)]


def _plain(node: Node, array: pa.Array, path: str) -> list[pa.Array]:
    if node.kind in ("string", "bytes"):
        return [_varints(_ints(pc.binary_length(array))), array.cast(pa.binary())]
    if node.kind in ("int", "long"):
        return [_varints(_ints(array))]
    if node.kind in ("float", "double"):
        return [_fixed(array, array.type.bit_width // 8)]
    if node.kind == "boolean":
        return [pc.if_else(array, b"\x01", b"\x00").cast(pa.binary())]
    if node.kind == "enum":
        return [_varints(_symbol_positions(node, array, path))]
    if node.kind == "decimal":
        return _decimals(array)
    if node.kind == "array":
        return _lists(node, array, path)
    return [
        piece
        for child, values in zip(node.children, _struct_children(array), strict=True)
        for piece in _pieces(child, values, f"{path}.{child.name}")
    ]


def _ints(array: pa.Array) -> _Ints:
    physical = array if pa.types.is_integer(array.type) else array.view(_physical(array.type))
    values: _Ints = physical.cast(pa.int64()).to_numpy()
    return values


def _physical(type_: pa.DataType) -> pa.DataType:
    return pa.int32() if type_.bit_width == 32 else pa.int64()


def _varints(values: _Ints) -> pa.Array:
    """Return zig-zag variable-length integers, the layout of int and long."""
    zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
    largest = int(zigzag.max(initial=0))
    if largest < 128:
        return _binary(np.arange(len(values) + 1, dtype=np.int32), zigzag.astype(np.uint8))
    length = -(-largest.bit_length() // 7)
    widths = np.ones(len(values), np.int32)
    matrix = np.empty((len(values), length), np.uint8)
    for position in range(length):
        rest = zigzag >> np.uint64(7 * position)
        more = rest > 127
        matrix[:, position] = (rest & np.uint64(127)).astype(np.uint8) | (
            more.astype(np.uint8) << 7
        )
        widths += more
    return _ragged(matrix, widths)


def _ragged(matrix: _Bytes, widths: npt.NDArray[np.int32]) -> pa.Array:
    """Return the first *widths* bytes of each line as a binary array."""
    count, width = matrix.shape
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(widths, out=offsets[1:])
    data = matrix
    if int(offsets[-1]) != count * width:
        data = matrix[np.arange(width) < widths[:, None]]
    return _binary(offsets, np.ascontiguousarray(data))


def _fixed(array: pa.Array, width: int) -> pa.Array:
    values = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    start = array.offset * width
    data = values[start : start + len(array) * width]
    return _binary(np.arange(0, len(data) + 1, width, dtype=np.int32), data)


def _binary(offsets: npt.NDArray[np.int32], data: _Bytes) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _symbol_positions(node: Node, array: pa.Array, path: str) -> _Ints:
    positions = pc.index_in(array, pa.array(node.symbols, pa.string()))
    if positions.null_count:
        raise BackboneError(f"a value of {path} is none of the schema's symbols")
    return _ints(positions)


def _decimals(array: pa.Array) -> list[pa.Array]:
    """Return big-endian two's complement of the unscaled values, as short as Java makes it."""
    raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    start = array.offset * 16
    lines = raw[start : start + len(array) * 16].reshape(-1, 16)
    sign = np.where(lines[:, 15] > 127, 255, 0).astype(np.uint8)
    # A leading byte can go if it only repeats the sign, and the next byte still shows it.
    idle = (lines[:, 1:] == sign[:, None]) & ((lines[:, :-1] ^ sign[:, None]) < 128)
    widths = (16 - np.logical_and.accumulate(idle[:, ::-1], axis=1).sum(axis=1)).astype(np.int32)
    keep = np.arange(15, -1, -1) < widths[:, None]
    offsets = np.zeros(len(array) + 1, np.int32)
    np.cumsum(widths, out=offsets[1:])
    return [_varints(widths.astype(np.int64)), _binary(offsets, lines[:, ::-1][keep])]


def _lists(node: Node, array: pa.Array, path: str) -> list[pa.Array]:
    """Return count, items and the closing zero: one block, none for an empty list."""
    (item,) = node.children
    values = array.flatten()
    counts = _ints(pc.list_value_length(array))
    ends = np.zeros(len(array) + 1, np.int64)
    np.cumsum(counts, out=ends[1:])
    items = pc.binary_join_element_wise(*_pieces(item, values, f"{path}[]"), _EMPTY)
    if not len(values):
        return [pa.repeat(_NULL_TAGS[0], len(array))]
    # Items of one row stand side by side, so a row's bytes are a slice of theirs.
    offsets = np.frombuffer(items.buffers()[1], np.int32)[items.offset :][ends]
    blocks = _binary(offsets, np.frombuffer(items.buffers()[2] or b"", np.uint8))
    closing = pc.if_else(pa.array(counts > 0), b"\x00", b"").cast(pa.binary())
    return [_varints(counts), blocks, closing]


def _struct_children(array: pa.Array) -> list[pa.Array]:
    return [array.field(i) for i in range(array.type.num_fields)]
