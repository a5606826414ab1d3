"""Makes raw products of texts, and reads what became of them."""

from __future__ import annotations

import itertools

import duckdb
import pyarrow.parquet as pq

from mesh.contract.project import load_project
from mesh.product.deliveries import folder_of
from mesh.product.dump import Wish, dump
from mesh.product.dump_source import Options

__all__ = ["dumped", "rejected_of", "rows_of", "types_of"]

NUMBERS = itertools.count()


def dumped(root, content, name="raw", **options):
    """What comes of a file with this content."""
    path = root / f"file-{next(NUMBERS)}"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    wish = Wish(file=path, domain="network", name=name, options=Options(**options))
    return dump(root, load_project(root), wish)


def rows_of(found):
    folder = folder_of(found.product, found.port)
    return [tuple(row.values()) for row in pq.read_table(folder / "current.parquet").to_pylist()]


def rejected_of(found):
    path = folder_of(found.product, found.port) / f"{found.delivery.stem}.rejected.parquet"
    return duckdb.sql(f"select rule, reason, raw from '{path}'").fetchall() if path.exists() else []


def types_of(found):
    return {each.name: each.type.kind for each in found.port.contract.fields}
