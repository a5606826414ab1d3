"""Where a batch run's inputs come from: the batch ports, read as the product that runs.

Not here: what a run makes of them (`mesh.product.batch`), and the file of a port (`export`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mesh.cli.app import App

if TYPE_CHECKING:
    from mesh.product.batch import Taken

__all__ = ["reading"]


def reading(app: App, product_id: str) -> Callable[[str], Taken]:
    """Reads an input port of a product, by its name, up to now.

    Raises `NotGranted` where its owner has not granted it.
    """
    from mesh.batch.parquet import read
    from mesh.cli.export import exported
    from mesh.product.batch import Taken

    ports = {each.name: each for each in app.project.product(product_id).inputs}

    def take(port: str) -> Taken:
        contract = app.project.input_contract(ports[port])
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{contract.id}.parquet"
            exported(app, contract, path, at=None, principal=product_id)
            rows, about = read(path)
        place = {
            "topic": about.topic,
            "topic_id": about.topic_id,
            "offsets": about.offsets[about.topic],
        }
        return Taken(rows=rows, place=place)

    return take
