"""A legacy warehouse outside the mesh, found by entry point: what `mesh legacy` runs and reads.

Whoever has one registers an object with `.warehouse` in the entry point group `mesh.company`.
Not here: its jobs (`jobs`), and running them (`nights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mesh.product.systems import the_one

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Warehouse", "find_warehouse"]


class Warehouse(Protocol):
    """A warehouse: *folder* has `tables.sql`, `jobs.yaml` and `sql/`, a file a job."""

    @property
    def folder(self) -> Path:
        """Where its files are."""

    @property
    def first_night(self) -> date:
        """The first night for which there is something to load."""

    def extracts(self, seed: int, night: date) -> Mapping[str, pa.Table]:
        """What the operational systems send in a night: a table each, for the schema `landing`.

        The same for a night whenever it is asked; a system that sends nothing is left out.
        """


def find_warehouse() -> Warehouse:
    """The warehouse of the installed company. Raises `SettingsError` if there is not just one."""
    found: Warehouse = the_one("warehouse", "legacy warehouses")
    return found
