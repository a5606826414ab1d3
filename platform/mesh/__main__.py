"""The command `mesh`, also as `python -m mesh`.

Imports nothing until it can answer to Ctrl-C in one word: the rest takes a while to import.
"""

from __future__ import annotations

import gc
import sys

from mesh.lean import keep_out_pandas

__all__ = ["run"]

# What learns from data does so with libraries that want it.
WITH_PANDAS = {"run-batch", "reproduce"}


def run() -> None:
    """Run the command line of this process."""
    if not WITH_PANDAS & set(sys.argv[1:2]):
        keep_out_pandas()
    try:
        from mesh.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        sys.exit(130)
    finally:
        # What is left goes with the process: to look for garbage in it would take half a second.
        gc.freeze()


if __name__ == "__main__":
    run()
