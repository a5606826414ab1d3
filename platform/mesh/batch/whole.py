"""A file that somebody asked for: there whole or not at all, and never in place of a device.

    with whole(path) as part:
        part.write_text("all of it")

A link stays one: what it points to is written. Not here: folders, and files of the mesh's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.errors import SettingsError, WrongUse

__all__ = ["place_of", "whole"]


def place_of(path: Path) -> Path:
    """The file that *path* means, be it there or not.

    Raises `WrongUse` where something else is there, `SettingsError` where nobody can tell.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise WrongUse(f"{path} is there, and no plain file: give the name of another")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritten(path, error) from error
    return path.resolve()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to fill beside *path*, which it replaces once the block has come to its end.

    Raises what `place_of` raises, and `SettingsError` where it cannot be written.
    """
    place = place_of(path)
    part = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        try:
            yield part
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> SettingsError:
    """What is said of a file that the system does not let us write."""
    return SettingsError(f"{path} cannot be written: {error.strerror or error}")
