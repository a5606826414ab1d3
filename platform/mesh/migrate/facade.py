"""Lays the rows of a report where a run of its product takes them: all of one source.

    lay(folder, contract, "mesh", [(date(2026, 1, 3), rows)])

What another source had delivered of these days goes before; what is published stays until the run
has all of them be true at once. Killed at any moment, it is repeated. Not here: the run
(`mesh.product.days`), and which source it is (`decisions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.contract.arrays import as_typed
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.errors import StorageError, WrongUse
from mesh.home import locked
from mesh.product.landing import DELIVERIES, LANDING
from mesh.product.published import day_folder

__all__ = ["MESH", "WAREHOUSE", "lay"]

WAREHOUSE, MESH = "warehouse", "mesh"


def lay(
    folder: Path, contract: Contract, source: str, days: Iterable[tuple[date, pa.Table]]
) -> int:
    """Lay the rows of *days* into the landing folder of a port; how many days they are.

    Raises `WrongUse` for rows that are none of the report, `StorageError` where there is no room.
    """
    landing = folder / LANDING
    try:
        landing.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(folder / "lock", f"a run of {contract.id}"):
            for left in landing.iterdir():
                left.unlink()
            new = [
                (day, write(landing / f"{day}.{source}.part", contract, source, rows))
                for day, rows in days
            ]
            for day, path in new:
                into = day_folder(folder, day) / DELIVERIES
                for other in into.glob(f"{day}.*.parquet"):
                    if other.name != f"{day}.{source}.parquet":
                        other.unlink()
                path.replace(path.with_suffix(".parquet"))
    except OSError as error:
        raise StorageError(
            f"{error.filename or landing} cannot be written ({error.strerror}): make room or make"
            " it writable, and do it again; what was published stays"
        ) from error
    return len(new)


def write(path: Path, contract: Contract, source: str, rows: pa.Table) -> Path:
    """Write rows in order of their key, so that equal rows of a source make an equal file."""
    try:
        table = as_typed(rows, arrow_schema(contract))
    except (KeyError, pa.ArrowException) as error:
        raise WrongUse(
            f"the {source} has other columns than {contract.id}: {str(error).splitlines()[0]}"
        ) from error
    table = table.sort_by([(each.name, "ascending") for each in contract.key_fields])
    # Two sources that say the same are two deliveries all the same.
    pq.write_table(table.replace_schema_metadata({"mesh.source": source}), path)
    return path
