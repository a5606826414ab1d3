"""Message keys: the primary key of each row as canonical UTF-8 text.

One field stands as it is, several as a compact JSON array of such texts. The canonical forms are
listed in docs/types.md; a key never changes while the values are equal.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from mesh.contract.model import Contract, Field
from mesh.errors import MeshError

__all__ = ["is_text", "keys"]

_NO_KEY_KINDS = frozenset({"float32", "float64", "list", "struct"})
_NOT_PLAIN_JSON = r'[\x00-\x1f"\\]'


def keys(table: pa.Table, contract: Contract) -> pa.Array:
    """Return the key of each row as a binary array.

    Raises `MeshError` where the contract has no key, a field of it has no canonical text, or a
    row has null in it.
    """
    if not contract.key_fields:
        raise MeshError(f"{contract.id} has no primary key: mark one field with primaryKey: true")
    texts = [_text(table.column(f.name).combine_chunks(), f) for f in contract.key_fields]
    if len(texts) == 1:
        return texts[0].cast(pa.binary())
    pieces: list[object] = ['["']
    for text in texts:
        pieces += [_escaped(text), '","']
    return pc.binary_join_element_wise(*pieces[:-1], '"]', "").cast(pa.binary())


def _text(array: pa.Array, field: Field) -> pa.Array:
    kind = field.type.kind
    if kind in _NO_KEY_KINDS:
        raise MeshError(f"field {field.name} is {kind}, which has no canonical text: not in a key")
    if array.null_count:
        raise MeshError(f"key field {field.name} is null in a row: mark it required: true")
    if kind == "uuid":
        return pc.ascii_lower(array)
    if kind == "timestamp":
        text = array.cast(pa.timestamp("us")).cast(pa.string())
        text = pc.utf8_replace_slice(text, 10, 11, "T")
        return pc.binary_join_element_wise(text, "Z", "")
    if kind == "decimal":
        return _decimal(array, field.type.scale)
    return array.cast(pa.string())


def _decimal(array: pa.Array, scale: int) -> pa.Array:
    """Return decimals with all their places (Arrow itself turns to exponents when small)."""
    whole = pa.Array.from_buffers(
        pa.decimal128(array.type.precision, 0), len(array), array.buffers(), offset=array.offset
    ).cast(pa.string())
    sign = pc.if_else(pc.starts_with(whole, "-"), "-", "")
    digits = pc.utf8_lpad(pc.utf8_ltrim(whole, "-"), scale + 1, "0")
    if not scale:
        return pc.binary_join_element_wise(sign, digits, "")
    before, after = (
        pc.utf8_slice_codeunits(digits, 0, -scale),
        pc.utf8_slice_codeunits(digits, -scale),
    )
    return pc.binary_join_element_wise(sign, before, ".", after, "")


def _escaped(text: pa.Array) -> pa.Array:
    """Return *text* as it stands between the quotes of JSON."""
    special = pc.match_substring_regex(text, _NOT_PLAIN_JSON)
    if not pc.any(special, min_count=0).as_py():
        return text
    escaped = [json.dumps(value, ensure_ascii=False)[1:-1] for value in text.to_pylist()]
    return pa.array(escaped, pa.string())


def is_text(key: bytes) -> bool:
    """Whether *key* is UTF-8."""
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
