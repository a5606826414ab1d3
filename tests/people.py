"""The company's people with what they own and are granted of one product; lines as they were."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["grant_only"]


def grant_only(path: Path, product: str) -> None:
    """Take other products out of the file at *path*, for a project without these."""
    text = path.read_text("utf-8")
    text = re.sub(rf"      - contract: (?!{product}\.)\S+\n        purpose: .*\n", "", text)
    text = re.sub(rf"    owns: \[(?!{product}\]).*\n", "", text)
    path.write_text(re.sub(r"    grants:\n(?!      -)", "", text), "utf-8")
