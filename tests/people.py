"""Who may read what in copies of the project: people's lines, and ports that need no asking."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["free", "grant_only"]


def grant_only(path: Path, product: str) -> None:
    """Take other products out of the file at *path*, for a project without these."""
    text = path.read_text("utf-8")
    text = re.sub(rf"      - contract: (?!{product}\.)\S+\n        purpose: .*\n", "", text)
    text = re.sub(r"    gives: .*\n", "", text)
    text = re.sub(rf"    owns: \[(?!{product}\]).*\n", "", text)
    path.write_text(re.sub(r"    grants:\n(?!      -)", "", text), "utf-8")


def free(contract: Path) -> None:
    """Have whoever reads a port by its descriptor be granted it, without asking."""
    text = contract.read_text("utf-8")
    assert "access\n    value: ask" in text
    contract.write_text(text.replace("access\n    value: ask", "access\n    value: auto"), "utf-8")
