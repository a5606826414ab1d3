"""`mesh feed` of a product whose operational system drops files: they land, and wait for a run.

As any system should, it writes a file under another name and renames it when it is whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table, steps
from mesh.errors import SettingsError, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow.parquet as pq

    from mesh.contract.model import OutputPort

__all__ = ["by_day", "land", "show_landed"]


def by_day(app: App, product: str) -> OutputPort | None:
    """The batch port of a product that is published by day, if it has one."""
    ports = app.project.product(product).outputs
    return next((each for each in ports if each.contract.day_field is not None), None)


def land(app: App, product: str, seed: int, count: int | None) -> Mapping[str, int]:
    """Drop the files of the simulated system; how many rows each has, by its name."""
    from pyarrow.parquet import ParquetWriter

    from mesh.product.landing import LANDING
    from mesh.product.systems import find_systems

    port, systems = by_day(app, product), find_systems()
    if port is None or product not in systems:
        raise WrongUse(f"no simulated system feeds {product}: drop its files where they land")
    folder = app.home.folder("batch", product, port.name, LANDING)
    rows: Counter[str] = Counter()
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        with steps() as progress:
            for batch in systems[product].batches(seed, count or systems[product].usual_count):
                for name, table in batch.items():
                    if name not in writers:
                        finish(writers, folder)
                        path = folder / f"{name}.part"
                        writers[name] = ParquetWriter(path, table.schema, compression="zstd")
                    writers[name].write_table(table)
                    rows[name] += table.num_rows
                    progress.say(f"{sum(rows.values()):,} rows in {len(rows)} files")
            finish(writers, folder)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}") from error
    return rows


def finish(writers: dict[str, pq.ParquetWriter], folder: Path) -> None:
    """Close what was written, and have it land."""
    for name, writer in writers.items():
        writer.close()
        (folder / f"{name}.part").replace(folder / f"{name}.parquet")
    writers.clear()


def show_landed(rows: Mapping[str, int], as_json: bool) -> None:
    """Print what has landed."""
    if as_json:
        show_json({"count_read": sum(rows.values()), "files": dict(rows)})
        return
    show_table(("file", "rows"), [(f"{name}.parquet", f"{n:,}") for name, n in rows.items()])
    click.echo("it waits where it landed: `mesh run-batch` takes it")
