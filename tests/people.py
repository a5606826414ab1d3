"""The company's people, with what they are granted of one product only; line by line as it was."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["grant_only"]


def grant_only(path: Path, product: str) -> None:
    """Take from the file at *path* the grants of other products, for a project without these."""
    text = path.read_text("utf-8")
    text = re.sub(rf"      - contract: (?!{product}\.)\S+\n        purpose: .*\n", "", text)
    path.write_text(re.sub(r"    grants:\n(?!      -)", "", text), "utf-8")
