"""What was delivered to a batch port: its files and the list of them, in the product's folder.

    data/<port>/deliveries.json          every delivery, older first
    data/<port>/current.parquet          the rows of the newest
    data/<port>/<moment>.parquet         the rows of each older one
    data/<port>/<moment>.rejected.parquet  what could not be read, with the reason

Not here: how a file becomes rows (`delivery`), who reads them (`mesh.wiring.batch`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from mesh.contract.model import OutputPort, Product
from mesh.errors import StorageError

__all__ = ["CURRENT", "Delivered", "batch_ports", "deliveries_of", "folder_of", "note_delivery"]

CURRENT = "current.parquet"
LIST = "deliveries.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One delivery. *rejected* counts by rule and field (`rule/field`), *styles* by field."""

    at: datetime
    file: str
    digest: str
    rows: int
    rejected: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    reading: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    styles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def stem(self) -> str:
        """What its files are called, but for the ending."""
        return f"{self.at:%Y%m%dT%H%M%S%f}Z"


def folder_of(product: Product, port: OutputPort) -> Path:
    """Where the files of a batch port are."""
    return product.folder / "data" / port.name


def batch_ports(product: Product) -> tuple[OutputPort, ...]:
    """The ports that are files."""
    return tuple(each for each in product.outputs if not each.contract.is_streamed)


def deliveries_of(product: Product, port: OutputPort) -> tuple[Delivered, ...]:
    """Every delivery of a port, older first. Raises `StorageError` where the list is damaged."""
    path = folder_of(product, port) / LIST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Delivered(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in found
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}): put it back from a copy, or remove the folder and"
            " deliver anew"
        ) from error


def note_delivery(product: Product, port: OutputPort, new: Delivered, rows: Path) -> None:
    """Make *rows* the current ones and put *new* on the list; the list decides what counts.

    The older rows stay under their own name. Killed between two of these steps, it is as if
    nothing had come, and the same file can be delivered again.
    """
    folder = folder_of(product, port)
    known = deliveries_of(product, port)
    current = folder / CURRENT
    if known and current.exists() and not (old := folder / f"{known[-1].stem}.parquet").exists():
        os.link(current, old)
    rows.replace(current)
    documents = [{**asdict(each), "at": each.at.isoformat()} for each in (*known, new)]
    temporary = folder / f".{LIST}"
    temporary.write_text(json.dumps(documents, indent=1, default=dict), encoding="utf-8")
    temporary.replace(folder / LIST)
