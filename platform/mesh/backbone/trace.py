"""W3C `traceparent` headers, a column at a time.

Source: W3C Trace Context, level 1, section 3.2 (version 00: trace id, parent id, flags; neither
id is all zeros).
"""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["child_traceparents", "is_traceparent"]

_VALID = r"\A00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\z"
_ZEROS = r"\A00-(0{32}-|[0-9a-f]{32}-0{16}-)"
_TRACE_BYTES, _SPAN_BYTES = 16, 8
# "00-" and the trace's id; what follows the span's id.
_TRACE_END, _FLAGS_START = 35, 52
_SAMPLED = "-01"


def is_traceparent(texts: pa.Array) -> pa.Array:
    """Which of *texts* are a valid `traceparent`; null is none."""
    valid = pc.match_substring_regex(texts, _VALID)
    valid = pc.and_(valid, pc.invert(pc.match_substring_regex(texts, _ZEROS)))
    return pc.fill_null(valid, False)


def child_traceparents(parents: pa.Array | pa.ChunkedArray) -> list[str]:
    """A new span of each parent's trace, or of a new trace where that is none."""
    count = len(parents)
    spans = _ids(count, _SPAN_BYTES)
    if parents.null_count == count:
        begins = _new_traces(count)
        return [f"{begin}-{span}{_SAMPLED}" for begin, span in zip(begins, spans, strict=True)]
    known = is_traceparent(parents)
    begins = pc.utf8_slice_codeunits(parents, 0, _TRACE_END)
    flags = pc.utf8_slice_codeunits(parents, _FLAGS_START)
    if not pc.all(known).as_py():
        begins = pc.if_else(known, begins, pa.array(_new_traces(count)))
        flags = pc.if_else(known, flags, _SAMPLED)
    children: list[str] = pc.binary_join_element_wise(
        begins, "-", pa.array(spans), flags, ""
    ).to_pylist()
    return children


def _new_traces(count: int) -> list[str]:
    return [f"00-{each}" for each in _ids(count, _TRACE_BYTES)]


def _ids(count: int, size: int) -> list[str]:
    """Random ids in hexadecimal digits; the specification forbids zeros only."""
    digits = os.urandom(size * count).hex()
    step, zeros = 2 * size, "0" * 2 * size
    found = [digits[start : start + step] for start in range(0, len(digits), step)]
    return (
        found
        if zeros not in found
        else [each if each != zeros else _ids(1, size)[0] for each in found]
    )
