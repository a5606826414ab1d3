"""The company's people with grants and ownership of one product only; line by line as it was."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["grant_only"]


def grant_only(path: Path, product: str) -> None:
    """Take from *path* the grants and owners of other products, for a project without these."""
    text = path.read_text("utf-8")
    text = re.sub(rf"      - contract: (?!{product}\.)\S+\n        purpose: .*\n", "", text)
    text = re.sub(rf"    owns: \[(?!{product}\])[\w-]+\]\n", "", text)
    path.write_text(re.sub(r"    grants:\n(?!      -)", "", text), "utf-8")
