"""Projects of tests: read again only where a file of theirs is another than before.

A test asks for its project at every turn, since it may have edited a file; to read all of them
takes a hundred times as long as to look at them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mesh.contract.project import Project, load_project

__all__ = ["read_project"]

# Of each file: where it is, which it is, how long, and when it was written.
Stamp = tuple[tuple[str, int, int, int], ...]
FOLDERS = ("company", "products")
# A worker has the repository's own project and a test's.
KEPT = 4
_read: dict[Path, tuple[Stamp, Project]] = {}


def read_project(root: Path) -> Project:
    """The project at *root*, as its files are now. Raises `InvalidFile` as `load_project` does."""
    found = tuple(stamps(root))
    known = _read.pop(root, None)
    # Looked at before it was read: what is written meanwhile has it read again.
    project = known[1] if known is not None and known[0] == found else load_project(root)
    _read[root] = found, project
    while len(_read) > KEPT:
        del _read[next(iter(_read))]
    return project


def stamps(root: Path) -> Iterator[tuple[str, int, int, int]]:
    """What tells whether a file of the project is another than before."""
    for folder in FOLDERS:
        for path, _, names in os.walk(root / folder):
            for name in names:
                file = f"{path}/{name}"
                about = os.lstat(file)
                yield file, about.st_ino, about.st_size, about.st_mtime_ns
