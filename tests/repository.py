"""What the tests know of this repository: its root and the files that belong to it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

__all__ = ["ROOT", "SOURCES", "copy_to", "files"]

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("platform/mesh", "catalog", "products", "company")


@cache
def files() -> tuple[Path, ...]:
    """List the files that are, or with the next commit would be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in sorted(set(names.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def copy_to(folder: Path) -> Path:
    """Copy the repository's files, and nothing that was made in the checkout, into *folder*."""
    for path in files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(path.stat().st_mode)
    return folder
