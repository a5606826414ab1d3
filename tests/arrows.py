"""Reads the imports of our own packages and names those that go against the arrows.

contract <- backbone <- product, erasure <- ports, audit, sql, query, control, observe
         <- wiring, batch, migrate, drills <- cli

`catalog`, `products` and `company` import `mesh`, which imports none of them;
a product imports only itself and `mesh`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.repository import ROOT, SOURCES, files

__all__ = ["faults_of", "modules", "name_of"]

EVERYWHERE = ("mesh.errors", "mesh.garbage", "mesh.settings", "mesh.home", "mesh.lean")
CORE = ("mesh.contract", "mesh.backbone", "mesh.product")
ABOVE = (
    "mesh.ports",
    "mesh.audit",
    "mesh.sql",
    "mesh.query",
    "mesh.control",
    "mesh.observe",
)
ARROWS = {
    "mesh.contract": CORE[:1],
    "mesh.backbone": CORE[:2],
    "mesh.product": CORE,
    **{package: (*CORE, "mesh.erasure", package) for package in ABOVE},
    "mesh.wiring": (*CORE, *ABOVE, "mesh.wiring"),
    "mesh.batch": (*CORE, *ABOVE, "mesh.batch"),
    "mesh.migrate": (*CORE, *ABOVE, "mesh.migrate"),
    "mesh.erasure": (*CORE, "mesh.erasure"),
    "mesh.drills": (*CORE, *ABOVE, "mesh.erasure", "mesh.drills"),
    "mesh.cli": ("mesh",),
    "mesh.testing": ("mesh",),
    "mesh.__main__": ("mesh.cli",),
    "catalog": ("mesh", "catalog"),
    "company": ("mesh", "company"),
}
OURS = ("mesh", "catalog", "company", "products")


def modules() -> tuple[Path, ...]:
    """List the Python files of our four packages."""
    folders = [ROOT / source for source in SOURCES]
    return tuple(
        path for path in files() if path.suffix == ".py" and set(folders) & set(path.parents)
    )


def name_of(path: Path) -> str:
    """Return the name by which the module at *path* is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "platform" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def faults_of(module: str, source: str) -> list[str]:
    """Name each import in *source*, the text of *module*, that goes against the arrows."""
    allowed = allowed_for(module)
    if allowed is None:
        return [f"{module} is in no layer; give it a place in tests/arrows.py"]
    return [
        f"{module}:{line} imports {target}"
        for line, target in imports_of(source)
        if target.startswith(".")
        or (is_in(target, OURS) and not is_in(target, (*EVERYWHERE, *allowed)) and target != "mesh")
    ]


def allowed_for(module: str) -> tuple[str, ...] | None:
    """Return what *module* may import of ours, beside the modules that all may."""
    if module.startswith("products."):
        return ("mesh", ".".join(module.split(".")[:2]))
    if module in ("mesh", "products") or is_in(module, EVERYWHERE):
        return ("mesh.contract.faults",) if module == "mesh.errors" else ()
    return next((ARROWS[package] for package in ARROWS if is_in(module, (package,))), None)


def imports_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def is_in(name: str, packages: tuple[str, ...]) -> bool:
    """Tell whether *name* is one of *packages* or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
