"""Ten times the backlog, ten times the keys: the time must grow about as much, the memory not.

    python -m bench.growth [--rows N] [--keys N] [--rounds N]

Each size runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from bench import state
from bench.measure import median, report, say
from bench.stage import CALLS, PRODUCT, calls, opened, running
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.project import load_project
from mesh.home import Home
from mesh.product.plan import plan_product
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.testing.backbone import Backbone

__all__ = ["main"]

TIMES = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with running() as backbone:
        backlog = [
            compared(lambda n: hop(backbone, n), options.rows) for _ in range(options.rounds)
        ]
    keys = [compared(build, options.keys) for _ in range(options.rounds)]
    report("growth", {"backlog": middle(backlog), "keys": middle(keys), "rounds": options.rounds})


def compared(work: Callable[[int], tuple[float, float]], size: int) -> dict[str, float]:
    """Time and peak memory of *size* and of ten times that."""
    (seconds, mb), (seconds_10, mb_10) = work(size), work(TIMES * size)
    found = {
        "seconds": seconds,
        "seconds_10": seconds_10,
        "times": seconds_10 / seconds,
        "peak_mb": mb,
        "peak_mb_10": mb_10,
    }
    say(f"{work}: {found}")
    return found


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The medians of the rounds."""
    return {name: round(median([each[name] for each in rounds]), 2) for name in rounds[0]}


def hop(backbone: Backbone, count: int) -> tuple[float, float]:
    """The call center goes through a backlog of *count*."""
    with opened(backbone) as bench:
        bench.feed(PRODUCT, calls(count))
        task = {
            "root": str(bench.root),
            "home": str(bench.home.path),
            "servers": backbone.endpoint.bootstrap_servers,
            "registry": backbone.endpoint.registry_url,
            "count": count,
        }
        found = in_a_process(take_in, task)
        assert len(bench.messages(bench.contract(CALLS).topic)) == count  # noqa: S101 - all of it
        return found


def build(keys: int) -> tuple[float, float]:
    """A state port of *keys* keys comes from nothing."""
    return in_a_process(grow, {"keys": keys})


def in_a_process(
    work: Callable[[dict[str, object], Connection], None], task: dict[str, object]
) -> tuple[float, float]:
    """Seconds and peak MB of *work* in a new process."""
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=work, args=(task, theirs))
    process.start()
    theirs.close()  # else nobody would know that it has died
    seconds, mb = mine.recv()
    process.join()
    return float(seconds), float(mb)


def take_in(task: dict[str, object], pipe: Connection) -> None:
    """The runtime, over what waits."""
    project, home = load_project(Path(str(task["root"]))), Home.open(Path(str(task["home"])))
    plan = plan_product(project, PRODUCT)
    storage = Storage.open(home.storage(PRODUCT), plan.tables)
    runtime = Runtime(
        plan,
        storage,
        endpoint=Endpoint(
            bootstrap_servers=str(task["servers"]), registry_url=str(task["registry"])
        ),
        principal=Principal(name=PRODUCT, secret=home.secret(PRODUCT)),
    )
    came, began = 0, time.perf_counter()
    while came < int(str(task["count"])):
        came += runtime.step(0.1)
    pipe.send((time.perf_counter() - began, peak_mb()))
    runtime.close()
    storage.close()


def grow(task: dict[str, object], pipe: Connection) -> None:
    """The port of `bench.state`, at another size."""
    keys = int(str(task["keys"]))
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        connection, port = state.opened(Path(folder) / "profile.duckdb", keys, 5 * keys)
        began = time.perf_counter()
        for _ in port.recompute():
            pass
        pipe.send((time.perf_counter() - began, peak_mb()))
        connection.close()


def peak_mb() -> float:
    """The peak of this process's resident memory in megabytes (Linux only)."""
    # `ru_maxrss` of a child begins with its parent's.
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(each for each in text.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
