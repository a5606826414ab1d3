"""Whoever follows a product's state ports inside its own process, batch by batch.

What it is told is committed. Not here: readers elsewhere, who read the topic.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

__all__ = ["Listener"]


class Listener(Protocol):
    """Is told what changed in state ports, in the product's own thread."""

    def changed(self, port: str, rows: pa.Table, gone: pa.Table) -> None:
        """*rows* of *port* are new or other; those with the keys of *gone* are no more."""

    def replaced(self) -> None:
        """Ports were compared with their topics as a whole: look at the tables again."""
