"""Something that is done again and again, in a thread of its own for the time of a block.

Not here: what is done (`lineage_watch`, `observing`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["beside", "repeat"]

Work = Callable[[], None]


def repeat(
    turn: Work, pause_s: Callable[[], float], stop: threading.Event, tell: Callable[[str], None]
) -> None:
    """Take a *turn* until *stop* is set; *tell* why one failed, once while that stays the same."""
    said = ""
    while not stop.is_set():
        try:
            turn()
            said = ""
        except Exception as error:  # whatever it is, the next turn is made
            if said != (text := repr(error)):
                said = text
                tell(text)
        stop.wait(pause_s())


@contextmanager
def beside(work: Work, stop: threading.Event) -> Iterator[None]:
    """Do *work* beside a block, at whose end *stop* tells it to end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
