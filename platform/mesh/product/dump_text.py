"""What a file from outside is, and its text as UTF-8: recognised by content, never by its name.

Not here: columns and rows (`dump_source`), types (`dump_values`).
"""

from __future__ import annotations

import codecs
import errno
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TypeAlias, cast

from mesh.errors import WrongUse

__all__ = ["Kind", "as_utf8", "known_encoding", "recognise"]

Kind: TypeAlias = Literal["csv", "json", "parquet"]

HEAD_BYTES = 65_536
# What charset-normalizer is shown of a file that is not UTF-8: from before the first odd byte.
SAMPLE_BYTES = 262_144
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TRY = "try utf-8, cp1252, utf-16"
CHUNK_BYTES = 1_048_576
NEAR = 0.05
# Those that business systems still write; without a list, short texts are taken for rare ones.
ENCODINGS = (
    "cp1252", "iso8859_15", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254",
    "mac_roman", "cp850", "utf_16", "utf_16_le", "utf_16_be", "shift_jis", "gb18030", "big5",
    "euc_kr", "euc_jp",
)  # fmt: skip
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FOREIGN = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or export the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", "export the sheet as CSV"),
    (b"%PDF", "a PDF document", "ask for the table as CSV"),
    (b"\x89PNG", "a picture", "ask for the table as CSV"),
    (b"\xff\xd8\xff", "a picture", "ask for the table as CSV"),
    (b"SQLite format 3\0", "a SQLite database", "export the table as CSV"),
    (b"<", "a page or an XML document", "export the table as CSV"),
    (b"[", "one JSON array", "write one JSON object a line (`jq -c '.[]'`)"),
)


def recognise(path: Path) -> Kind:
    """What *path* is. Raises `WrongUse` where it is no file that can be read as a table."""
    try:
        with opened(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise WrongUse(f"there is no file {path}") from error
    except (OSError, EOFError) as error:
        raise WrongUse(f"{path} cannot be read: {reason(error)}") from error
    if not head.strip(b"\r\n\t \0"):
        raise WrongUse(f"{path} is empty: there is nothing to make a product of")
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, what, remedy in FOREIGN:
        if start.startswith(magic):
            raise WrongUse(f"{path} is {what}, no CSV, Parquet or JSON-lines file: {remedy}")
    has_mark = any(head.startswith(bom) for bom, _ in BOMS)
    if not has_mark and sum(byte < 9 or 13 < byte < 32 for byte in head) > max(16, len(head) // 20):
        zeros = head.count(0)
        if not 0.3 < zeros / len(head) < 0.7:  # UTF-16 without its mark has a zero a letter
            raise WrongUse(f"{path} is no text: give a CSV, Parquet or JSON-lines file")
    return "json" if start.startswith(b"{") else "csv"


def reason(error: Exception) -> str:
    """Why a file could not be read, in words."""
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name one file"
    return str(getattr(error, "strerror", None) or error)


def known_encoding(name: str) -> str:
    """The encoding that a person named. Raises `WrongUse` for one that is none."""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise WrongUse(f"there is no encoding {name!r}: {TRY}") from error
    try:
        "a".encode(name)
    except LookupError as error:
        raise WrongUse(f"{name} is no encoding of text: {TRY}") from error
    except UnicodeError as error:
        raise WrongUse(f"{name} reads nothing: {TRY}") from error
    return found


def as_utf8(path: Path, folder: Path, encoding: str | None) -> tuple[Path, str]:
    """The text of *path* as a file of UTF-8 (itself where it is), and the encoding it was in.

    Raises `WrongUse` where the named *encoding*, or any that can be guessed, does not fit.
    """
    is_plain = not is_gzip(path)
    if encoding is None:
        encoding = guess_encoding(path)
    if encoding == "utf-8" and is_plain:
        require(path, encoding)
        return path, encoding
    target = folder / "text"
    try:
        with opened(path) as source, target.open("wb") as file:
            reader = codecs.getreader(encoding)(source)
            while text := reader.read(CHUNK_BYTES):
                file.write(text.encode())
    except (UnicodeError, OSError, EOFError) as error:
        if getattr(error, "errno", None) in NO_ROOM:
            raise
        raise WrongUse(
            f"{path} is not {encoding} throughout ({reason(error)}): name its encoding with "
            "--encoding"
        ) from error
    return target, encoding.removesuffix("-sig")


def require(path: Path, encoding: str) -> None:
    """Raise `WrongUse` where *path* is not of *encoding* throughout."""
    if (place := first_odd_byte(path)) is not None:
        raise WrongUse(f"{path} is not {encoding} throughout: byte {place} cannot be read as such")


def guess_encoding(path: Path) -> str:
    """UTF-8 where all of it is; else by its mark, else what charset-normalizer finds likeliest."""
    with opened(path) as file:
        head = file.read(4)
    for bom, name in BOMS:
        if head.startswith(bom):
            return name
    place = first_odd_byte(path)
    if place is None:
        with opened(path) as file:
            sample = file.read(HEAD_BYTES)
        if 0.3 < sample.count(0) / len(sample) < 0.7:
            return "utf-16-le" if sample[1:2] == b"\0" else "utf-16-be"
        return "utf-8"
    from charset_normalizer import from_bytes

    with opened(path) as file:
        file.read(max(0, place - SAMPLE_BYTES // 2))
        sample = file.read(SAMPLE_BYTES)
    matches = from_bytes(sample, cp_isolation=list(ENCODINGS))
    best = matches.best()
    if best is None:
        raise WrongUse(f"the encoding of {path} cannot be guessed: name it with --encoding")
    # Neighbours among the encodings differ by a letter or two; then the usual one is meant.
    near = {
        name
        for each in matches
        if each.chaos <= best.chaos + NEAR
        for name in (each.encoding, *each.could_be_from_charset)
    }
    return "cp1252" if "cp1252" in near else best.encoding


def first_odd_byte(path: Path) -> int | None:
    """Where *path* stops being UTF-8, or None."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    place = 0
    try:
        with opened(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
                place += len(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return place + error.start
    return None


def is_gzip(path: Path) -> bool:
    """Whether *path* is compressed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of *path*, unpacked where gzip packed them."""
    if is_gzip(path):
        with gzip.open(path, "rb") as file:
            yield cast("IO[bytes]", file)
    else:
        with path.open("rb") as plain:
            yield plain
