"""Opens a product's storage, and waits where that cannot be yet.

Held by another process, it is a standby's to wait for; on a full disk, everybody's. Not here:
the process itself (`product`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

from mesh.control.running import standby_file
from mesh.errors import AlreadyRunning, MeshError, NoRoom
from mesh.home import Home
from mesh.product.storage import Storage

__all__ = ["run_with_room", "stand_by"]

# A killed process's lock is gone with it; so often it is asked for.
STANDBY_POLL_S = 0.2
ROOM_POLL_S = 2.0
Open = Callable[[], Storage]


def stand_by(
    open_: Open, home: Home, product: str, *, stop: threading.Event, log: Callable[[str], None]
) -> Storage | None:
    """The storage as soon as no other process holds it; None if told to stop before."""
    name = standby_file(product, os.getpid())
    since = datetime.now(UTC)
    mark = {"name": product, "pid": os.getpid(), "since": since.isoformat(timespec="seconds")}

    def tell(error: MeshError) -> None:
        log(f"standby: {error}; this one takes over when that one ends")
        home.write_run(name, mark)

    try:
        return wait(open_, AlreadyRunning, STANDBY_POLL_S, stop=stop, tell=tell)
    finally:
        (home.run / name).unlink(missing_ok=True)


def run_with_room(
    run: Callable[[Storage], None],
    open_: Open,
    storage: Storage | None,
    *,
    stop: threading.Event,
    tell: Callable[[str, str], None],
    log: Callable[[str], None],
) -> None:
    """Have *storage* run until it ends, again with a new one where the disk was full between.

    DuckDB shuts a file whose checkpoint found no room; what was committed is there when it is
    opened again. Meanwhile *tell* is told the state, and the reason.
    """

    def wait_with(error: MeshError) -> None:
        log(f"waiting: {error}")
        tell("waiting", str(error))

    while storage is not None:
        try:
            with closing(storage):
                run(storage)
                return
        except NoRoom as error:
            wait_with(error)
        stop.wait(ROOM_POLL_S)
        storage = wait(open_, NoRoom, ROOM_POLL_S, stop=stop, tell=wait_with)


def wait(
    open_: Open,
    passing: type[MeshError],
    pause_s: float,
    *,
    stop: threading.Event,
    tell: Callable[[MeshError], None],
) -> Storage | None:
    """What *open_* opens once the *passing* trouble has passed; *tell* is told it once."""
    said = ""
    while not stop.is_set():
        try:
            return open_()
        except passing as error:
            if str(error) != said:
                said = str(error)
                tell(error)
            stop.wait(pause_s)
    return None
