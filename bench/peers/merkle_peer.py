"""pymerkle's tree in memory over entries that are given, by whichever of its two ways is faster.

Runs in an environment of its own, with one JSON document as its input; prints seconds and root.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pymerkle import InmemoryTree


def main() -> None:
    """Add every entry, then ask for the root."""
    task = json.load(sys.stdin)
    data, size = Path(task["entries"]).read_bytes(), task["size"]
    entries = [data[at : at + size] for at in range(0, len(data), size)]
    ways, root = [], ""
    for way in ("one by one", "at once"):
        begun = time.process_time()
        tree = InmemoryTree(algorithm="sha256")
        if way == "at once":
            tree.append_entries(entries)
        else:
            for each in entries:
                tree.append_entry(each)
        root = tree.get_root().hex()
        ways.append(time.process_time() - begun)
    sys.stdout.write(json.dumps({"seconds": min(ways), "root": root}) + "\n")


if __name__ == "__main__":
    main()
