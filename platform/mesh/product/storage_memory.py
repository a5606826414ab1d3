"""How much memory the DuckDB of one storage may take: little, and more where rows are too large.

DuckDB reads rows by 2,048 at a time, so that many must fit; where they do not, trying again does
not help. So it is noted beside the storage, which has twice as much once it is opened anew.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from mesh.errors import NoMemory, StorageError

__all__ = ["LEAST_MB", "is_out_of_memory", "limit_mb", "memory_error"]

# A product has 400 MB, all in all. The most is what rows of the largest size take.
LEAST_MB, MOST_MB = 64, 512
SIGNS = ("failed to pin block", "could not allocate block", "failed to allocate", "Out of Memory")


def limit_mb(path: Path) -> int:
    """What the storage at *path* may take."""
    try:
        return min(MOST_MB, max(LEAST_MB, int(note_of(path).read_text())))
    except (OSError, ValueError):
        return LEAST_MB


def memory_error(path: Path) -> StorageError:
    """Let the storage at *path* take twice as much once it is opened anew; the error to raise."""
    limit = limit_mb(path)
    if limit == MOST_MB:
        return StorageError(
            f"the internal storage {path} needs more than {limit} MB: a query holds too much at "
            "once, or the rows are too large; make them less"
        )
    note_of(path).write_text(f"{limit * 2}\n")
    return NoMemory(
        f"the internal storage {path} needs more than {limit} MB for its rows or queries: "
        f"opened anew, it may take {limit * 2} MB"
    )


def is_out_of_memory(error: duckdb.Error) -> bool:
    """Whether more memory would have helped; a failed checkpoint says so in its text only."""
    return isinstance(error, duckdb.OutOfMemoryException) or any(
        sign in str(error) for sign in SIGNS
    )


def note_of(path: Path) -> Path:
    """Where it stands what a storage may take."""
    return path.with_suffix(".memory-mb")
