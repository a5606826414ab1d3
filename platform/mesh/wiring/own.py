"""Finds what a product adds to its door: `door.py` in its folder, loaded from that folder.

`mesh` imports no product; a product that runs is asked by the name of a file.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.contract.model import Product
from mesh.errors import SettingsError
from mesh.ports.own import Own

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["own_routes"]

MODULE = "door"


def own_routes(product: Product) -> Callable[[Own], APIRouter] | None:
    """The function `routes` of the product's `door.py`, or None where it has no such file.

    Raises `SettingsError` where it cannot be loaded.
    """
    if not (product.folder / f"{MODULE}.py").is_file():
        return None
    # Whatever importing a product's code raises, the person must learn whose it is.
    try:
        package = loaded(product.folder)
        module = importlib.import_module(f"{package}.{MODULE}")
        routes: Callable[[Own], APIRouter] = module.routes
    except Exception as error:
        raise SettingsError(
            f"{product.folder / MODULE}.py cannot be loaded, mend or remove it: {error}"
        ) from error
    return routes


def loaded(folder: Path) -> str:
    """The name of the package in *folder*, loaded from there and from nowhere else."""
    name = f"products.{folder.name}"
    found = sys.modules.get(name) or importlib.util.find_spec(name)
    at = getattr(found, "__file__", None) or getattr(found, "origin", None)
    path = folder.resolve() / "__init__.py"
    if at is not None and Path(at).resolve() == path:
        return name
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(folder.resolve())]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no package")
    module = importlib.util.module_from_spec(spec)
    for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[each]
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return name
