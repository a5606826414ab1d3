"""What a run of a batch product is given: `batch.py` in its folder has `run(batch)`.

    def run(batch: Batch) -> Mapping[str, object]:

What it answers is what `mesh run-batch` prints. What a run has to say to the mesh it announces on
an input port of its own product, so that it goes the way of all data from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from mesh.contract.model import Product
from mesh.contract.project import Project

__all__ = ["Batch"]


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
