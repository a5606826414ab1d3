"""Reads a CSV file that nobody here wrote, record by record; one bad line never stops the next.

RFC 4180 with any one-character delimiter and quote, any line ending, any text encoding. A blank
line is no record. Not here: what the values mean (`mapping_sql`).
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from mesh.contract.faults import Fault
from mesh.errors import InvalidFile

__all__ = ["MAX_RECORD_CHARS", "Dialect", "Record", "check_head", "keep_bytes", "records", "shown"]

MAX_RECORD_CHARS = 128 * 1024
MAX_RECORD_LINES = 1_000  # a quote that is never closed must not swallow the file

_HEAD_BYTES = 8_192
_MAGIC = (
    (b"\x89PNG", "a PNG image", "name the file that the image was made of"),
    (b"\xff\xd8\xff", "a JPEG image", "name the file that the image was made of"),
    (b"%PDF", "a PDF document", "ask for the data as CSV"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it with `gunzip` first"),
    (b"BZh", "compressed with bzip2", "unpack it with `bunzip2` first"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it with `unxz` first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it with `unzstd` first"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet or document", "save the sheet as CSV"),
    (b"PAR1", "Parquet", "export it as CSV"),
    (b"ORC", "ORC", "export it as CSV"),
    (b"Obj\x01", "Avro", "export it as CSV"),
    (b"SQLite format 3\x00", "a SQLite database", "export the table as CSV"),
    (b"\x7fELF", "a program", "check the path"),
)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_KEPT_BYTE = re.compile("[\udc00-\udcff]")


class Record(NamedTuple):
    """One record: *line* counts from 1, of its first line; *reason* is empty where it is good."""

    line: int
    raw: str
    values: list[str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the file is written; an empty *quote* means that nothing is quoted."""

    delimiter: str
    quote: str = '"'
    encoding: str = "utf-8"


def keep_bytes(error: UnicodeError) -> tuple[str, int]:
    """Decode what cannot be decoded to one lone surrogate a byte, so that a line can be judged.

    As `surrogateescape` (PEP 383), but for every byte and hence for UTF-16 too.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in lost), error.end


codecs.register_error("mesh.keep-bytes", keep_bytes)


def shown(raw: str) -> str:
    r"""Return *raw* with each undecodable byte written as `\xNN`, as text that can be stored."""
    if raw.isascii():
        return raw
    return _KEPT_BYTE.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", raw)


def check_head(stream: BinaryIO, path: Path, encoding: str) -> None:
    """Look at the first bytes, and raise `InvalidFile` where they are not text; rewinds."""
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    if not head:
        raise _not_csv(path, "the file is empty", "check how it was made or copied")
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic):
            raise _not_csv(path, f"this is {what}, not CSV", remedy)
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    if head.startswith(_UTF_16) and not wide:
        raise _not_csv(
            path, f"this is UTF-16, not {encoding}", "write `encoding: utf-16` in the mapping"
        )
    if b"\x00" in head and not wide:
        line = head[: head.index(b"\x00")].count(b"\n") + 1
        raise _not_csv(
            path,
            "this holds NUL bytes, so it is no CSV text",
            "export it as CSV; if it is UTF-16, write `encoding: utf-16` in the mapping",
            line,
        )


def records(stream: TextIO, dialect: Dialect) -> Iterator[Record]:
    """Yield the records of *stream*, which is open with `newline=""` and `mesh.keep-bytes`."""
    lines = _Lines(stream)
    while text := lines.take():
        if not text.strip("\r\n"):
            continue
        number = lines.number
        if len(text) >= MAX_RECORD_CHARS and not text.endswith(("\n", "\r")):
            lines.skip_rest()
            reason = f"the line is longer than {MAX_RECORD_CHARS} characters; its rest is not kept"
            yield Record(number, text, [], reason)
        elif dialect.quote and dialect.quote in text:
            yield _judged(_quoted(lines, text, dialect), dialect)
        else:
            values = text.rstrip("\r\n").split(dialect.delimiter)
            yield _judged(Record(number, text, values, ""), dialect)


class _Lines:
    """Physical lines; *number* counts those taken, and what was taken in vain can be given back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ahead: deque[str] = deque()
        self.number = 0

    def take(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._stream.readline(MAX_RECORD_CHARS)
        self.number += bool(line)
        return line

    def give_back(self, lines: list[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)

    def skip_rest(self) -> None:
        while (piece := self._stream.readline(MAX_RECORD_CHARS)) and piece[-1] not in "\r\n":
            pass


def _quoted(lines: _Lines, first: str, dialect: Dialect) -> Record:
    """Return the record that begins with *first*, over as many lines as its quotes hold."""
    number = lines.number
    taken: list[str] = []

    def feed() -> Iterator[str]:
        line, size = first, 0
        while (
            line and len(taken) < MAX_RECORD_LINES and (size := size + len(line)) < MAX_RECORD_CHARS
        ):
            taken.append(line)
            yield line
            line = lines.take()
        if line:
            taken.append(line)

    reader = csv.reader(feed(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
    try:
        values = next(reader)
    except csv.Error as error:
        lines.give_back(taken[1:])
        reason = "a quote is opened and never closed" if "end of data" in str(error) else str(error)
        return Record(number, first, [], f"the quotes cannot be read: {reason}")
    return Record(number, "".join(taken), values, "")


def _judged(record: Record, dialect: Dialect) -> Record:
    """Return the record, with the reason where its text is no text."""
    raw = record.raw
    if "\x00" in raw:
        return record._replace(reason="the line holds a NUL byte")
    if not raw.isascii() and (found := _KEPT_BYTE.search(raw)):
        byte = ord(found[0]) - 0xDC00
        return record._replace(reason=f"byte 0x{byte:02x} is not {dialect.encoding}")
    return record


def _not_csv(path: Path, problem: str, remedy: str, line: int = 0) -> InvalidFile:
    return InvalidFile([Fault(path=path, line=line, problem=problem, remedy=remedy, rule="csv")])
