"""Keeps pandas out of a process that has no use for it.

pyarrow and DuckDB import it wherever it is installed, and the libraries of one product bring it:
60 MB and a fifth of a second of every process.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["keep_out_pandas"]


class Absent(MetaPathFinder):
    """Finds that pandas is not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Nothing of any other module. Raises `ModuleNotFoundError` for pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of this process", name=fullname)
        return None


def keep_out_pandas() -> None:
    """From now on pandas is not there."""
    if not any(isinstance(each, Absent) for each in sys.meta_path):
        sys.meta_path.insert(0, Absent())
