"""What a run of a batch product is given: `batch.py` in its folder has `run(batch)`.

    def run(batch: Batch) -> Mapping[str, object]:

What it answers is what `mesh run-batch` prints. What a run has to say to the mesh it announces on
an input port of its own product, so that it goes the way of all data from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.errors import WrongUse

__all__ = ["Asked", "Batch", "Taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The rows of an input port, and its *place*: topic, topic id, the offsets that come next."""

    rows: pa.Table
    place: Mapping[str, Any]


def nothing_to_read(port: str) -> Taken:
    """Of a run that is given no ports to read."""
    raise WrongUse(f"this run was given no {port} to read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is asked for: a day, and what else its product knows by name (*options*).

    *read* gives an input port, by its name, as its batch port has it.
    """

    as_of: date
    say: Callable[[str], None] = lambda _: None
    options: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[str], Taken] = nothing_to_read


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One run of a product, as of the end of a day.

    *folder* tells where the files of a port are. *announce* writes rows to an input port of the
    product, by its name: each key once, whoever repeats it, is killed or comes again.
    """

    product: Product
    project: Project
    as_of: date
    folder: Callable[[str], Path]
    announce: Callable[[str, pa.Table], None]
    say: Callable[[str], None] = lambda _: None
    options: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[str], Taken] = nothing_to_read
