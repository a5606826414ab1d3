"""The audit service that follows a topic, against the product that takes in the same messages.

    python -m bench.audit_topic [--rows N] [--rounds N]

Both read from Kafka and write to disk. The product reads the calls as telephony wrote them, with
eight headers; the audit service reads them as the product published them, with eight and a salt.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from itertools import count as numbers
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.ingest import ours as taken_in
from bench.measure import alternate, compare, median, report
from bench.stage import CALLS, PRODUCT, calls, opened, running
from mesh.audit.follower import Follower
from mesh.audit.note import SigningKey
from mesh.contract.audit import AUDIT
from mesh.testing import Workbench

__all__ = ["main"]

KEY = SigningKey(name="bench", private=Ed25519PrivateKey.generate())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running() as backbone, opened(backbone) as bench:
        bench.feed(PRODUCT, calls(options.rows))
        with bench.running(PRODUCT) as runtime:
            bench.settle(runtime, options.rows)
        report("audit_topic", measure(bench, options.rows, options.rounds))


def measure(bench: Workbench, count: int, rounds: int) -> dict[str, object]:
    """Both in turns, by the wall and in CPU time, which a loaded machine leaves as it is."""
    number = numbers()
    cpu: dict[str, list[float]] = {"audit": [], "product": []}
    # As the services do: what was imported is not walked again and again.
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:

        def clocked(name: str, work: Callable[[Path], float]) -> float:
            begun = time.process_time()
            seconds = work(Path(folder) / f"{name}-{next(number)}")
            cpu[name].append(time.process_time() - begun)
            return seconds

        sides = {
            "audit": lambda: clocked("audit", lambda path: logged(bench, path, count)),
            "product": lambda: clocked("product", lambda path: taken_in(bench, path, count)),
        }
        found = compare(alternate(sides, rounds), dict.fromkeys(sides, count))
    ratios = [b / a for a, b in zip(cpu["audit"], cpu["product"], strict=True)]
    us = {name: round(median(each) / count * 1e6, 2) for name, each in cpu.items()}
    return {**found, "cpu_us_a_message": us, "ratio_in_cpu_time": round(median(ratios), 2)}


def logged(bench: Workbench, folder: Path, count: int) -> float:
    """Follow every public topic until the calls are in their logs, each on disk."""
    topic = bench.contract(CALLS).topic
    follower = Follower(
        bench.backbone.endpoint,
        bench.principal(AUDIT),
        folder,
        KEY,
        needs_salt=lambda _: True,
        say=lambda _: None,
    )
    try:
        began, size = time.perf_counter(), 0
        while size < count:
            follower.step()
            size = sum(each.size for each in follower.logs.values() if each.name.topic == topic)
        return time.perf_counter() - began
    finally:
        follower.close()


if __name__ == "__main__":
    main()
