"""W3C `traceparent` headers, a column at a time.

Source: W3C Trace Context, level 1, section 3.2 (version 00: trace id, parent id, flags; neither
id is all zeros).
"""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["child_traceparents", "is_traceparent"]

_VALID = r"\A00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\z"
_ZEROS = r"\A00-(0{32}-|[0-9a-f]{32}-0{16}-)"
_TRACE_BYTES, _SPAN_BYTES = 16, 8
# Where the parts stand.
_TRACE, _FLAGS = (3, 35), (53, 55)
_SAMPLED = "01"


def is_traceparent(texts: pa.Array) -> pa.Array:
    """Which of *texts* are a valid `traceparent`; null is none."""
    valid = pc.match_substring_regex(texts, _VALID)
    valid = pc.and_(valid, pc.invert(pc.match_substring_regex(texts, _ZEROS)))
    return pc.fill_null(valid, False)


def child_traceparents(parents: pa.Array | pa.ChunkedArray) -> list[str]:
    """A new span of each parent's trace, or of a new trace where that is none."""
    count = len(parents)
    known = is_traceparent(parents)
    traces = pc.utf8_slice_codeunits(parents, *_TRACE)
    flags = pc.utf8_slice_codeunits(parents, *_FLAGS)
    if not pc.all(known, min_count=0).as_py():
        traces = pc.if_else(known, traces, _ids(count, _TRACE_BYTES))
        flags = pc.if_else(known, flags, _SAMPLED)
    spans = _ids(count, _SPAN_BYTES)
    children: list[str] = pc.binary_join_element_wise("00", traces, spans, flags, "-").to_pylist()
    return children


def _ids(count: int, size: int) -> pa.Array:
    """Random ids in hexadecimal digits; the specification forbids zeros only."""
    digits = os.urandom(size * count).hex().encode()
    starts = np.arange(0, len(digits) + 1, 2 * size, dtype=np.int32)
    found = pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(starts), pa.py_buffer(digits)]
    )
    is_forbidden = pc.any(pc.equal(found, "0" * 2 * size), min_count=0).as_py()
    return _ids(count, size) if is_forbidden else found
