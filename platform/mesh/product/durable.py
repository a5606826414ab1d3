"""Files that survive a machine which loses its power: written, and only then in their place."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["put", "synced"]


def put(new: Path, path: Path) -> None:
    """Have *new* on disk, and then in the place of *path*."""
    synced(new)
    new.replace(path)
    synced(path.parent)


def synced(path: Path) -> None:
    """Have a file or a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
