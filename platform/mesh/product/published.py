"""What a batch port has published by day: the files that are true now, as one list says.

    published.json                      which files are true; readers go by it alone
    day=2026-03-01/3.parquet            the rows of a day, as of generation 3
    day=2026-03-01/3.quarantine.parquet what was delivered of it and breaks the contract
    day=2026-03-01/deliveries/          what was delivered of it, as it came
    landing/                            what was dropped and no run has taken yet

All of it in the folder of one port. Not here: how a day is made (`day`), and when (`days`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

from mesh.errors import StorageError
from mesh.product.durable import put

__all__ = ["Day", "Delivery", "Published", "day_folder", "read_published", "write_published"]

LIST = "published.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file that was delivered. *stamp* is another where the file may have other bytes."""

    name: str
    digest: str
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day as it is published; *quarantined* counts by `rule/field`."""

    day: date
    generation: int
    rows: int
    size_bytes: int
    digest: str
    quarantined: Mapping[str, int]
    deliveries: tuple[Delivery, ...]
    published_at: datetime

    @property
    def file(self) -> Path:
        """Its rows, from the port's folder."""
        return Path(f"day={self.day}") / f"{self.generation}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Every day that is there. *generation* counts publications, and never goes back."""

    generation: int = 0
    days: Mapping[date, Day] = field(default_factory=lambda: MappingProxyType({}))


def day_folder(folder: Path, day: date) -> Path:
    """Where the files of a day are, in the port's *folder*."""
    return folder / f"day={day}"


def read_published(folder: Path) -> Published:
    """What is true now. Raises `StorageError` where the list is damaged."""
    path = folder / LIST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        days = [day_of(each) for each in found["days"]]
        return Published(generation=found["generation"], days={each.day: each for each in days})
    except FileNotFoundError:
        return Published()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}): put it back from a copy; without it no day is"
            " published, and the next run publishes each anew from its deliveries"
        ) from error


def write_published(folder: Path, published: Published) -> None:
    """Have *published* be true, at once: a reader sees the list before it or this one."""
    days = [published.days[each] for each in sorted(published.days)]
    documents = [
        {**asdict(each), "day": str(each.day), "published_at": each.published_at.isoformat()}
        for each in days
    ]
    temporary = folder / f".{LIST}"
    document = {"generation": published.generation, "days": documents}
    temporary.write_text(json.dumps(document, indent=1, default=dict), encoding="utf-8")
    put(temporary, folder / LIST)


def day_of(found: Mapping[str, object]) -> Day:
    """A day as it was before it became JSON."""
    values: dict[str, object] = {
        **found,
        "day": date.fromisoformat(str(found["day"])),
        "published_at": datetime.fromisoformat(str(found["published_at"])),
        "deliveries": tuple(Delivery(**each) for each in found["deliveries"]),  # type: ignore[attr-defined]  # JSON
    }
    return Day(**values)  # type: ignore[arg-type]  # as it was written
