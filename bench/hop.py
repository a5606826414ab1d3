"""A whole hop, topic to SQL to topic, exactly once, against quixstreams doing the same.

    python -m bench.hop [--rows N] [--rounds N]

Ours is the whole runtime of the call center: it keeps input and output rows in DuckDB and checks
both contracts besides. quixstreams filters and projects, row by row, in its transactions.
"""

from __future__ import annotations

import argparse
import threading
import time

from bench.measure import alternate, compare, peer, report
from bench.stage import (
    CALLS,
    PRODUCT,
    STAGING,
    calls,
    client,
    new_topic,
    opened,
    registered,
    running,
)
from mesh.testing.backbone import Backbone

__all__ = ["main"]

# As many messages as our runtime takes at most into one transaction.
BATCH = 10_000
TICK_S = 0.005
SLOW_SHARE = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running() as backbone:
        report("hop", measure(backbone, options.rows, options.rounds))


def measure(backbone: Backbone, count: int, rounds: int) -> dict[str, object]:
    """Both sides in turns; each of our rounds has topics and a storage of its own."""
    slow = count // SLOW_SHARE
    sides = {"ours": lambda: ours(backbone, count), "quixstreams": lambda: theirs(backbone, slow)}
    return compare(alternate(sides, rounds), {"ours": count, "quixstreams": slow})


def ours(backbone: Backbone, count: int) -> float:
    """The call center takes in and publishes what waits."""
    with opened(backbone) as bench:
        bench.feed(PRODUCT, calls(count))
        with bench.running(PRODUCT) as runtime:
            runtime.step(0.1)  # finds out how to go on
            stop, storage = threading.Event(), runtime._storage
            work = threading.Thread(target=runtime.run, args=(stop,))
            began = time.perf_counter()
            work.start()
            while storage.published is None or storage.published.seq < count:
                time.sleep(TICK_S)
            seconds = time.perf_counter() - began
            stop.set()
            work.join()
        said = bench.messages(bench.contract(CALLS).topic)
        assert len(said) == count, len(said)  # noqa: S101 - or there is nothing to compare
    return seconds


def theirs(backbone: Backbone, count: int) -> float:
    """quixstreams, over a topic of the same messages."""
    with opened(backbone) as bench:
        bench.feed(PRODUCT, calls(count))
        topic = bench.contract(STAGING).topic
        _, _, schema = registered(bench, CALLS)
        return peer(
            "quix",
            "quix_peer.py",
            {
                "do": "hop",
                "client": client(backbone),
                "registry": backbone.endpoint.registry_url,
                "topic": topic,
                "to": new_topic(backbone, f"{topic}.hop"),
                "to_schema": schema,
                "group": f"{topic}.hop",
                "batch": BATCH,
                "count": count,
            },
        )["seconds"]


if __name__ == "__main__":
    main()
