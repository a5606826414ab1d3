"""The rows of a port as its product's door gives them, compared with what the log makes of them.

Both lie in a DuckDB file that is gone afterwards, so that a port of any size is compared in
bounded memory. While rows change, what the log said within the last moments counts as well.
Not here: where rows (`told`) and entries (`recount`) come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from mesh.audit.answers import Answers, text_of
from mesh.audit.entry import Message, unopened
from mesh.audit.findings import Fault
from mesh.audit.recount import Piece
from mesh.backbone.keys import keys
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.errors import Unproven
from mesh.product.duck import connect, quoted
from mesh.product.rows import PLACE

__all__ = ["PortRows"]

SchemaOf = Callable[[int], Mapping[str, object] | None]
# Partition, index and time of a message, its key and its value.
Waiting = tuple[int, int, int, bytes | None, bytes | None]
BATCH = 4096
# What was true so lately may be what the product's door has told.
RECENT_MS = 30_000
ABOUT = pa.schema(
    [
        ("_key", pa.string()),
        ("_partition", pa.int64()),
        ("_index", pa.int64()),
        ("_at", pa.int64()),
        ("_is_gone", pa.bool_()),
    ]
)
# A message of a state port replaces the one before it; of an event port only a tombstone does.
SPANS = """
create or replace view spans as select *, min(_at) filter (where _is_gone or {is_state}) over (
    partition by _key order by _index rows between 1 following and unbounded following
) as _until from logged
"""
WRONG = """
with now as (select _key, {columns} from spans where not _is_gone and _until is null
    and _at > $oldest),
lately as (select _key, {columns} from spans
    where not _is_gone and (_until is null or _until >= $since)),
untold as (select distinct _key from (select * from now except all select * from told)
    where _key not in (select _key from logged where _at >= $since)),
unlogged as (select distinct _key from (select * from told except all select * from lately))
select _key, case
    when _key not in (select _key from unlogged) then 'missing'
    when _key in (select _key from lately) then 'altered'
    else 'foreign' end
from (select _key from untold union select _key from unlogged) order by _key
"""


class PortRows:
    """The rows of *contract*, in a file in *folder*."""

    def __init__(self, contract: Contract, schema_of: SchemaOf, folder: Path) -> None:
        self._contract, self._answers = contract, Answers(contract, schema_of)
        self._schema = arrow_schema(contract)
        self._next: dict[int, int] = {}
        self._waiting: list[Waiting] = []
        self._connection = connect(folder / "rows.duckdb")
        self._make("logged", pa.schema([*ABOUT, *self._schema]))
        is_state = "true" if contract.kind == "state" else "false"
        self._connection.execute(SPANS.format(is_state=is_state))

    def add(self, piece: Piece) -> None:
        """Take in the messages of entries; those of a partition in order, each once."""
        for at, row in enumerate(piece.rows):
            index, partition = piece.begin + at, int(row["partition"])
            opening = piece.opened.openings[at]
            if index < self._next.get(partition, 0) or not piece.sound[at]:
                continue
            self._next[partition] = index + 1
            if opening is not None and (message := readable(opening)) is not None:
                time = int(row["timestamp_ms"])
                self._waiting.append((partition, index, time, message.key, message.value))
        if len(self._waiting) >= BATCH:
            self._flush()

    def count(self, partition: int) -> int:
        """How many entries of a partition were taken in."""
        return self._next.get(partition, 0)

    def tell(self, rows: Iterable[pa.Table]) -> None:
        """Take in what the product's door gives."""
        self._make("told", pa.schema([ABOUT.field("_key"), *self._schema]))
        for each in rows:
            named = keys(each, self._contract).cast(pa.string())
            self._insert("told", each.add_column(0, "_key", named))

    def wrong(self, now_ms: int) -> Iterator[tuple[str, Fault]]:
        """The key of each row that is not what the log says, when the door told at *now_ms*."""
        self._flush()
        retention = self._contract.retention_ms
        columns = ", ".join(quoted(each) for each in self._schema.names)
        moments = {
            "since": now_ms - RECENT_MS,
            "oldest": -1 if retention is None else now_ms - retention,
        }
        yield from self._connection.execute(WRONG.format(columns=columns), moments).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _flush(self) -> None:
        """Decode what waits, and put it into the table."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        rows = self._answers.table([value for *_, value in waiting])
        places = rows[PLACE].to_pylist()
        self._insert("logged", beside([waiting[at] for at in places], rows, is_gone=False))
        gone = [each for each in waiting if each[4] is None]
        self._insert("logged", beside(gone, None, is_gone=True))

    def _make(self, name: str, schema: pa.Schema) -> None:
        empty = schema.empty_table()
        self._connection.register("empty", empty)
        self._connection.execute(f"create or replace table {name} as select * from empty")
        self._connection.unregister("empty")

    def _insert(self, name: str, rows: pa.Table) -> None:
        self._connection.register("new_rows", rows)
        self._connection.execute(f"insert into {name} by name select * from new_rows")
        self._connection.unregister("new_rows")


def readable(opening: bytes) -> Message | None:
    """The message in what was kept of it; None where that is none, which is told elsewhere."""
    try:
        return unopened(opening)
    except Unproven:
        return None


def beside(messages: Sequence[Waiting], rows: pa.Table | None, *, is_gone: bool) -> pa.Table:
    """Where the messages come from, and beside it the rows that they have, if any."""
    columns = [
        [text_of(key) for *_, key, _ in messages],
        *([each[part] for each in messages] for part in range(3)),
        [is_gone] * len(messages),
    ]
    arrays = [pa.array(column, each.type) for column, each in zip(columns, ABOUT, strict=True)]
    table = pa.table(arrays, ABOUT)
    if rows is not None:
        for name in rows.drop_columns([PLACE]).column_names:
            table = table.append_column(name, rows[name])
    return table
