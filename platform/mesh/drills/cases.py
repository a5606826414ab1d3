"""The cases of the drill `tamper`: each does one thing to a copy, and says what is to be found.

A case that gives None is no fault, and nothing may be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.audit.entry import ENTRY_BYTES, Columns
from mesh.audit.findings import Fault, What
from mesh.audit.merkle import HASH_BYTES
from mesh.audit.note import SigningKey
from mesh.audit.origin import LogName
from mesh.backbone.wire import frame
from mesh.drills.bed import PRODUCT
from mesh.drills.ground import REQUEST, VICTIM, Copy, columns_of

__all__ = ["CASES", "Expected", "bounds", "lose"]

# What is to be found, of what, and where.
Expected = tuple[Fault, What, str]
Case = Callable[[Copy], Expected | None]
UNKNOWN_SCHEMA = 999_999_999
TIMEOUT_S = 30


def untouched(_: Copy) -> None:
    """Nothing is wrong."""


def entry(copy: Copy) -> Expected:
    """A byte of an entry is flipped."""
    name, offset = copy.ground.victim()
    flip(copy, name, "entries", VICTIM * ENTRY_BYTES + ENTRY_BYTES - 1)
    return "altered", "entry", f"{source(name)} entry {VICTIM} (offset {offset})"


def tile(copy: Copy) -> Expected:
    """A byte of a tile is flipped."""
    name, offset = copy.ground.victim()
    flip(copy, name, "level-0", VICTIM * HASH_BYTES)
    return "altered", "tile", f"{source(name)} 0/000 (offset {offset})"


def payload(copy: Copy) -> Expected:
    """A byte of a message that is kept is flipped."""
    name, offset = copy.ground.victim()
    _, end = bounds(copy.folder / name.path, VICTIM)
    flip(copy, name, "openings", end - 1)
    return "altered", "opening", f"{source(name)} offset {offset}"


def payload_gone(copy: Copy) -> Expected:
    """A message that is kept is removed, and nothing says why."""
    name, offset = copy.ground.victim()
    lose(copy.folder / name.path, VICTIM)
    return "missing", "opening", f"{source(name)} offset {offset}"


def mark(copy: Copy) -> Expected:
    """A message is marked as erased, and no erasure has taken it."""
    name, offset = erased(copy, "nobody")
    return "missing", "opening", f"{source(name)} offset {offset}"


def erasure(copy: Copy) -> None:
    """A message was erased, and the erasure's record says so."""
    erased(copy, REQUEST)


def swap(copy: Copy) -> Expected:
    """Two entries change places."""
    name, offset = copy.ground.victim()
    path = copy.file(name, "entries")
    data = bytearray(path.read_bytes())
    one, other = (slice(at * ENTRY_BYTES, (at + 1) * ENTRY_BYTES) for at in (VICTIM, VICTIM + 1))
    data[one], data[other] = data[other], data[one]
    path.write_bytes(data)
    return "altered", "entry", f"{source(name)} entry {VICTIM + 1} (offset {offset})"


def drop(copy: Copy) -> Expected:
    """A log is made anew without its last entries, and signed."""
    name, _ = copy.ground.victim()
    rebuild(copy, name, lambda columns: part(columns, len(columns.offsets) - 3))
    return "missing", "checkpoint", source(name)


def fork(copy: Copy) -> Expected:
    """A log is made anew with another past, and signed."""
    name, _ = copy.ground.victim()

    def altered(columns: Columns) -> Columns:
        values = [*columns.values]
        values[VICTIM], values[VICTIM + 1] = values[VICTIM + 1], values[VICTIM]
        return replace(columns, values=values)

    rebuild(copy, name, altered)
    return "altered", "checkpoint", source(name)


def key(copy: Copy) -> Expected:
    """A log is signed with another key."""
    name, _ = copy.ground.victim()
    copy.key = SigningKey(name="mesh-audit/other", private=Ed25519PrivateKey.generate())
    rebuild(copy, name, lambda columns: columns)
    return "altered", "checkpoint", source(name)


def row(copy: Copy) -> Expected:
    """A row of a product is edited by hand, in its own storage."""
    bed, product = copy.ground.bed, copy.ground.product

    def edit(amount: int) -> str:
        product.stop()
        with duckdb.connect(str(bed.home.storage(PRODUCT))) as connection:
            sql = "update main.totals set amount = amount + ? where account = 'account-7'"
            connection.execute(sql, [amount])
        copy.ground.start_product()
        return "key account-7"

    copy.undo = partial(edit, -1)  # type: ignore[assignment]
    return "altered", "row", f"{bed.contract('totals').id} {edit(1)}"


def record(copy: Copy) -> Expected:
    """Records are removed from a topic."""
    name, offset = copy.ground.victim()
    bed = copy.ground.bed
    client = AdminClient({**bed.endpoint.client(bed.admin, bed.mechanism), "log_level": 0})
    place = TopicPartition(name.topic, name.partition, offset + 1)
    for future in client.delete_records([place]).values():
        future.result(TIMEOUT_S)
    return "missing", "message", f"{source(name)} offset {offset}"


def foreign(copy: Copy) -> Expected:
    """Somebody writes on a topic past its log, with a schema that nobody announced."""
    name, _ = copy.ground.victim()
    copy.ground.write(name.topic, frame(UNKNOWN_SCHEMA, b"\2"), name.partition)
    return "foreign", "schema", f"{source(name)} {UNKNOWN_SCHEMA}"


# Those that cannot be undone come last.
CASES: Mapping[str, Case] = {
    "untouched": untouched,
    "entry": entry,
    "tile": tile,
    "payload": payload,
    "payload-gone": payload_gone,
    "mark": mark,
    "erasure": erasure,
    "swap": swap,
    "drop": drop,
    "fork": fork,
    "key": key,
    "row": row,
    "record": record,
    "foreign": foreign,
}


def source(name: LogName) -> str:
    """A log as findings name it."""
    return f"{name.topic} [{name.partition}]"


def flip(copy: Copy, name: LogName, file: str, at: int) -> None:
    """Change a byte of a file."""
    path = copy.file(name, file)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def bounds(folder: Path, entry: int) -> tuple[int, int]:
    """Where what opens an entry of a log begins and ends in its file."""
    begin, end = [0, *np.fromfile(folder / "ends", "<u8").tolist()][entry : entry + 2]
    return begin, end


def lose(folder: Path, entry: int) -> None:
    """Take what opens an entry out of a log's files, as if nothing had ever been kept of it."""
    begin, end = bounds(folder, entry)
    data, ends = (folder / "openings").read_bytes(), np.fromfile(folder / "ends", "<u8")
    (folder / "openings").write_bytes(data[:begin] + data[end:])
    ends[entry:] -= end - begin
    ends.tofile(folder / "ends")


def erased(copy: Copy, request: str) -> tuple[LogName, int]:
    """Destroy a message that a later one has replaced, as an erasure does."""
    name, offset = copy.ground.victim("totals")
    with closing(copy.log(name)) as log:
        log.openings.destroy([VICTIM], request)
    return name, offset


def part(columns: Columns, count: int) -> Columns:
    """The first messages."""
    return Columns(
        offsets=columns.offsets[:count],
        timestamps_ms=columns.timestamps_ms[:count],
        headers=columns.headers[:count],
        keys=columns.keys[:count],
        values=columns.values[:count],
    )


def rebuild(copy: Copy, name: LogName, change: Callable[[Columns], Columns]) -> None:
    """Make a log anew of other messages, signed as a mesh signs."""
    with closing(copy.log(name)) as log:
        columns = change(columns_of(log))
    for each in log.folder.iterdir():
        each.unlink()
    if copy.key is not None:
        copy.names[copy.names.index(name)] = name = replace(name, mesh=copy.key.name)
    with closing(copy.log(name, copy.key)) as log:
        log.add(columns, needs_salt=False)
