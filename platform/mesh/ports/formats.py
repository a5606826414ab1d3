"""The formats of rows, each made from Arrow batches as they come: JSON, CSV, Arrow, Parquet.

    for piece in encode("csv", schema, batches, Notes(...)):
        send(piece)

Not here: which rows (`pages`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mesh.ports.csvtext import as_text
from mesh.ports.refusals import NotAcceptable
from mesh.ports.values import json_rows

__all__ = ["FORMATS", "Notes", "accepted", "encode"]

FORMATS: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What goes with rows: the offsets they are true for, and the cursor of the next page."""

    offsets: Mapping[str, Mapping[str, int]]
    next: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    def metadata(self) -> dict[str, str]:
        """For the schema of Arrow and Parquet."""
        return {"mesh.offsets": json.dumps(self.offsets), **self.others}

    def places(self) -> Iterator[dict[str, object]]:
        """The offset that comes next in each partition, a record each."""
        for topic, partitions in self.offsets.items():
            for partition, offset in partitions.items():
                yield {"topic": topic, "partition": int(partition), "offset": offset}


class Sink:
    """A file to write to, which gives what was written since it was last asked."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.closed = False

    def write(self, data: object) -> int:
        """Keep *data* until it is taken."""
        piece = bytes(data)  # type: ignore[call-overload]  # whatever buffer Arrow hands over
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        """How much was ever written."""
        return self._size

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def close(self) -> None:
        """Writers close what they write to; what is here may still be taken."""
        self.closed = True

    def take(self) -> bytes:
        """What was written since."""
        found, self._pieces = b"".join(self._pieces), []
        return found


Batches = Iterable[pa.RecordBatch]


def accepted(header: str) -> str:
    """The format that an Accept header asks for. Raises `NotAcceptable` for others."""
    best: tuple[float, str] | None = None
    for each in (header or "*/*").split(","):
        kind, _, rest = each.strip().lower().partition(";")
        weight = _weight(rest)
        for name, media in FORMATS.items():
            fits = kind.strip() in (media, f"{media.partition('/')[0]}/*", "*/*")
            if fits and weight > 0 and (best is None or weight > best[0]):
                best = (weight, name)
    if best is None:
        raise NotAcceptable(f"accept one of {', '.join(FORMATS.values())}, or say ?format=")
    return best[1]


def _weight(parameters: str) -> float:
    for each in parameters.split(";"):
        name, _, value = each.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def encode(name: str, schema: pa.Schema, batches: Batches, notes: Notes) -> Iterator[bytes]:
    """The rows of *batches* in the format *name*, in pieces."""
    return _ENCODERS[name](schema, batches, notes)


def _json(schema: pa.Schema, batches: Batches, notes: Notes) -> Iterator[bytes]:
    head = json.dumps({"columns": schema.names, "offsets": notes.offsets})
    comma = head[:-1] + ', "rows": ['
    for batch in batches:
        if batch.num_rows:
            rows = json.dumps(json_rows(pa.Table.from_batches([batch])), ensure_ascii=False)
            yield f"{comma}{rows[1:-1]}".encode()
            comma = ", "
    yield ("" if comma == ", " else comma).encode()
    yield f'], "next": {json.dumps(notes.next)}}}'.encode()


def _csv(schema: pa.Schema, batches: Batches, notes: Notes) -> Iterator[bytes]:
    """Null is nothing between two commas, empty text is `""`."""
    sink = Sink()
    # With "needed", Arrow quotes every name; those of contracts never need it.
    is_plain = not any(set(name) & set(',"\r\n') for name in schema.names)
    header = "none" if is_plain else "needed"
    options = pacsv.WriteOptions(quoting_style="needed", quoting_header=header)
    shown = as_text(schema.empty_table().combine_chunks()).schema
    with pacsv.CSVWriter(pa.PythonFile(sink, mode="w"), shown, write_options=options) as writer:
        for batch in batches:
            writer.write_table(as_text(pa.Table.from_batches([batch])))
            yield sink.take()
    yield sink.take()


def _arrow(schema: pa.Schema, batches: Batches, notes: Notes) -> Iterator[bytes]:
    sink = Sink()
    noted = schema.with_metadata(notes.metadata())
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), noted) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(noted.metadata))
            yield sink.take()
    yield sink.take()


def _parquet(schema: pa.Schema, batches: Batches, notes: Notes) -> Iterator[bytes]:
    sink = Sink()
    noted = schema.with_metadata(notes.metadata())
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), noted, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(noted.metadata))
            yield sink.take()
    yield sink.take()


_ENCODERS: dict[str, Callable[[pa.Schema, Batches, Notes], Iterator[bytes]]] = {
    "json": _json,
    "csv": _csv,
    "arrow": _arrow,
    "parquet": _parquet,
}
