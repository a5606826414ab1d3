"""One Avro datum to one row, byte by byte, with every bound checked: the strict judge.

The columnar decoder (`avro_decode`) asks it about the few messages that it cannot place itself:
damaged ones, and layouts that are valid but rare. Nothing here allocates more than the message
is long, whatever lengths it claims.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Context, Decimal

from mesh.backbone.avro_schema import MILLIS, MOST_MS, Node

__all__ = ["Damaged", "read_row"]

_LONG = 1 << 63
_EXACT = Context(prec=80)
_RANGES = {"int": 1 << 31, "long": _LONG}


class Damaged(Exception):
    """The bytes are not a datum of the schema."""


def read_row(record: Node, payload: bytes) -> dict[str, object]:
    """Return the row that *payload* is, dates and times as their integers.

    Raises `Damaged` with a reason that a person understands.
    """
    reader = _Reader(payload)
    row = reader.fields(record, "")
    if reader.left:
        raise Damaged(f"{reader.left} bytes are left over after the last field")
    return row


class _Reader:
    """A position in one payload."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._payload) - self._at

    def fields(self, node: Node, path: str) -> dict[str, object]:
        prefix = f"{path}." if path else ""
        return {child.name: self.value(child, prefix + child.name) for child in node.children}

    def value(self, node: Node, path: str) -> object:
        if node.is_nullable:
            branch = self.long(path)
            if branch not in (0, 1):
                raise Damaged(f"field {path}: union branch {branch} does not exist")
            if branch == node.null_branch:
                return None
        return _READERS[node.kind](self, node, path)

    def long(self, path: str) -> int:
        zigzag = shift = 0
        while True:
            byte = self.take(1, path)[0]
            zigzag |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 63:
                raise Damaged(f"field {path}: an integer of more than ten bytes")
        number = (zigzag >> 1) ^ -(zigzag & 1)
        if not -_LONG <= number < _LONG:
            raise Damaged(f"field {path}: an integer of more than 64 bits")
        return number

    def take(self, size: int, path: str) -> bytes:
        if not 0 <= size <= self.left:
            raise Damaged(f"field {path}: {size} bytes announced, {self.left} left")
        self._at += size
        return self._payload[self._at - size : self._at]

    def integer(self, node: Node, path: str) -> int:
        number = self.long(path)
        if not -_RANGES[node.kind] <= number < _RANGES[node.kind]:
            raise Damaged(f"field {path}: {number} does not fit {node.kind}")
        if node.arrow == MILLIS and not -MOST_MS <= number <= MOST_MS:
            raise Damaged(f"field {path}: {number} ms since 1970 is no instant")
        return number

    def floating(self, node: Node, path: str) -> float:
        size, layout = (4, "<f") if node.kind == "float" else (8, "<d")
        number: float = struct.unpack(layout, self.take(size, path))[0]
        return number

    def boolean(self, node: Node, path: str) -> bool:
        byte = self.take(1, path)[0]
        if byte > 1:
            raise Damaged(f"field {path}: {byte} is no boolean")
        return byte == 1

    def raw(self, node: Node, path: str) -> bytes:
        return self.take(self.long(path), path)

    def text(self, node: Node, path: str) -> str:
        try:
            return self.raw(node, path).decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"field {path}: the text is not UTF-8") from error

    def symbol(self, node: Node, path: str) -> str:
        position = self.long(path)
        if not 0 <= position < len(node.symbols):
            raise Damaged(f"field {path}: symbol {position} does not exist")
        return node.symbols[position]

    def decimal(self, node: Node, path: str) -> Decimal:
        raw = self.raw(node, path)
        unscaled = int.from_bytes(raw, "big", signed=True)
        if not raw or len(raw) > 64 or abs(unscaled) >= 10**node.arrow.precision:
            raise Damaged(
                f"field {path}: not a decimal of {node.arrow.precision} digits ({len(raw)} bytes)"
            )
        return Decimal(unscaled).scaleb(-node.arrow.scale, _EXACT)

    def items(self, node: Node, path: str) -> list[object]:
        (item,) = node.children
        items: list[object] = []
        while count := self.long(path):
            if count < 0:  # then the block's size in bytes follows
                count = -count
                self.long(path)
            if count > self.left:  # every item takes a byte at least (see `compile_record`)
                raise Damaged(f"field {path}: {count} items announced, {self.left} bytes left")
            items += [self.value(item, f"{path}[]") for _ in range(count)]
        return items


_READERS: dict[str, Callable[[_Reader, Node, str], object]] = {
    "string": _Reader.text,
    "bytes": _Reader.raw,
    "int": _Reader.integer,
    "long": _Reader.integer,
    "float": _Reader.floating,
    "double": _Reader.floating,
    "boolean": _Reader.boolean,
    "enum": _Reader.symbol,
    "decimal": _Reader.decimal,
    "array": _Reader.items,
    "record": _Reader.fields,
}
