"""Takes deliveries out of a landing folder: whole files, each into the folder of its day.

    landing/2026-03-01.gateway.parquet      the delivery `gateway` of a day

A file under any other name is still being written. Not here: what becomes of the rows (`day`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.contract.model import Contract
from mesh.contract.rules import fit
from mesh.errors import MeshError
from mesh.product.failpoints import reach
from mesh.product.published import Delivery, Published, day_folder

__all__ = ["DELIVERIES", "LANDING", "Taken", "delivered", "pending", "take"]

LANDING = "landing"
DELIVERIES = "deliveries"
NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.([a-z0-9][a-z0-9_-]{0,60})\.parquet")
# What writers call a file that is not whole.
UNFINISHED = (".part", ".tmp")


@dataclass(slots=True, kw_only=True)
class Taken:
    """What was found in a landing folder; *left* says of what stays there, why."""

    new: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def take(
    folder: Path, contract: Contract, published: Published, first: date | None, last: date
) -> Taken:
    """Take every whole delivery of the days from *first* to *last*; of later ones, none.

    What a day has already, whatever its name, is removed. Killed at any moment, a delivery is
    in one of the two folders, whole.
    """
    taken = Taken()
    for path in sorted((folder / LANDING).glob("*")):
        if path.name.startswith(".") or path.suffix in UNFINISHED:
            continue
        day = day_in(path.name)
        if day is not None and day > last:
            continue
        if why := reason_to_leave(path, day, contract, first):
            taken.left[path.name] = why
            continue
        assert day is not None  # noqa: S101 - or there is a reason
        if digest_of(path) in {each.digest for each in delivered(folder, day, published)}:
            taken.repeated.append(path.name)
            path.unlink()
            continue
        into = day_folder(folder, day) / DELIVERIES
        into.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.replace(into / path.name)
        taken.new.append(path.name)
        reach("delivery-taken")
    return taken


def reason_to_leave(
    path: Path, day: date | None, contract: Contract, first: date | None
) -> str | None:
    """Why a file cannot be taken, if it cannot."""
    if day is None:
        return "its name is not DAY.DELIVERY.parquet, as 2026-03-01.gateway.parquet"
    if first is not None and day < first:
        return "its day is older than the port keeps: remove it"
    try:
        fit(pq.read_schema(path).empty_table(), contract)
    except (pa.ArrowException, OSError):
        return "it is no Parquet, or not whole: write it under another name, then rename it"
    except MeshError as error:
        return f"it does not fit the contract: {error}"
    return None


def day_in(name: str) -> date | None:
    """The day in the name of a delivery."""
    found = NAME.fullmatch(name)
    with suppress(ValueError):
        return date.fromisoformat(found[1]) if found else None
    return None


def delivered(folder: Path, day: date, published: Published) -> tuple[Delivery, ...]:
    """What was delivered of a day, by name; of equal files the first."""
    known = published.days.get(day)
    digests = {(each.name, each.stamp): each.digest for each in known.deliveries} if known else {}
    found: dict[str, Delivery] = {}
    for path in sorted((day_folder(folder, day) / DELIVERIES).glob("*.parquet")):
        status = path.stat()
        name = NAME.fullmatch(path.name)
        stamp = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
        if name is not None:
            # To read all that was ever delivered again would take longer than the day's run.
            digest = digests.get((name[2], stamp)) or digest_of(path)
            found.setdefault(digest, Delivery(name=name[2], digest=digest, stamp=stamp))
    return tuple(sorted(found.values(), key=lambda each: each.name))


def path_of(folder: Path, day: date, delivery: Delivery) -> Path:
    """The file of a delivery that was taken."""
    return day_folder(folder, day) / DELIVERIES / f"{day}.{delivery.name}.parquet"


def pending(
    folder: Path, published: Published, first: date | None, last: date
) -> Iterator[tuple[date, tuple[Delivery, ...]]]:
    """The days of which something else was delivered than they are made of."""
    for path in sorted(folder.glob("day=*")):
        day = date.fromisoformat(path.name.removeprefix("day="))
        if day > last or (first is not None and day < first):
            continue
        found, known = delivered(folder, day, published), published.days.get(day)
        before = {each.digest for each in known.deliveries} if known else set()
        if found and {each.digest for each in found} != before:
            yield day, found


def digest_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
