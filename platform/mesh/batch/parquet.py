"""A batch port's file: Parquet, with the offsets that its rows are true for in its metadata.

    count = write(path, schema, batches, about.metadata())
    rows, about = read(path)

A file is there whole or not at all. Not here: where rows come from (`topic`, `export`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.batch.whole import whole
from mesh.errors import WrongUse

__all__ = ["OFFSETS", "About", "about", "read", "write"]

# As doors say it; and all that only a file has to say, since nobody answers beside it.
OFFSETS, ABOUT = b"mesh.offsets", b"mesh.export"
Noted = Mapping[bytes, bytes]
Offsets = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a file is of. *offsets* are those that come next, by topic and partition.

    *begins* are the first that the topic still had. *schema_ids* are the registry's, of the
    messages that were read; of a file that the change audit log was asked for they are not known.
    """

    port: str
    version: str
    kind: str
    topic: str
    topic_id: str
    schema_ids: tuple[int, ...]
    offsets: Offsets
    begins: Offsets
    source: str

    def metadata(self) -> Noted:
        """For the schema of a file."""
        return {
            OFFSETS: json.dumps(self.offsets).encode(),
            ABOUT: json.dumps(asdict(self)).encode(),
        }


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.Table], noted: Noted) -> int:
    """Write *batches* to *path*, with metadata, and return how many rows they were.

    They are written beside it, and it is renamed when it is whole.
    """
    count = 0
    with (
        whole(path) as part,
        pq.ParquetWriter(part, schema.with_metadata(noted), compression="zstd") as writer,
    ):
        for each in batches:
            writer.write_table(each.replace_schema_metadata(noted))
            count += each.num_rows
    return count


def read(path: Path) -> tuple[pa.Table, About]:
    """The rows of a file that was exported, and what it is of. Raises `WrongUse` for another."""
    found = about(path)
    return pq.read_table(path).replace_schema_metadata(None), found


def about(path: Path) -> About:
    """What a file is of, of whatever size it is. Raises `WrongUse` where it was not exported."""
    try:
        document = json.loads((pq.read_schema(path).metadata or {})[ABOUT])
        return About(**{**document, "schema_ids": tuple(document["schema_ids"])})
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise WrongUse(f"{path} is no file of `mesh export`: {error}") from error
