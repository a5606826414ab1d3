"""`python -m catalog`: runs the catalogue in the foreground, until it is told to stop."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

from mesh.errors import MeshError
from mesh.home import Home
from mesh.lean import keep_out_pandas
from mesh.settings import load

__all__ = ["main"]


def main() -> int:
    """Run until SIGTERM or Ctrl-C; the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # What `nohup` has us ignore stays ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    keep_out_pandas()
    from catalog.service import run_catalogue

    try:
        settings = load()
        run_catalogue(settings, Home.open(settings.home_path), log=log, stop=stop)
    except MeshError as error:
        log(f"mesh: {error}")
        return error.exit_code
    finally:
        # What is left goes with the process: to look for garbage in it would take half a second.
        gc.freeze()
    return 0


def log(text: str) -> None:
    """Say what happens, with the time, on standard error."""
    # On a full disk there is no room for a log either, and the catalogue goes on.
    with suppress(OSError):
        sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z {text}\n")


if __name__ == "__main__":
    sys.exit(main())
