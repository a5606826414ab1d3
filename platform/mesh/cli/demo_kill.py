"""The demo's step in which the product is killed while it is fed."""

from __future__ import annotations

import os
import signal
import threading
import time

from mesh.cli.app import App
from mesh.cli.demo_checks import WAIT_S, arrived, call_center, calls_of, check
from mesh.cli.feed import feed_product

__all__ = ["KILLED", "kill"]

SEED, KILLED = 7, 5000
AT_WORK_S = 20.0
PRODUCT, CALLS = "call-center", "call-center.calls"


def kill(app: App) -> str:
    """Kill the product while it is fed; then count what it has and what it has published."""
    status = call_center(app)
    before, pid = calls_of(status), int(str(status["pid"]))
    killer = threading.Thread(target=kill_at_work, args=(app, before, pid))
    killer.start()
    try:
        fed = feed_product(app, PRODUCT, world=(SEED, before + KILLED))[0].fed
    finally:
        killer.join()
    there = before + fed.count_new
    check(arrived(app, there), f"not all calls arrived: {call_center(app)}")
    after = call_center(app)
    check(after["pid"] != pid, "the product was not killed")
    check(calls_of(after) == there, f"{there:,} calls were fed, the product has {after['rows']}")
    published = published_calls(app, there)
    check(len(published) == len(set(published)), "a call was published twice")
    check(len(published) == there, f"{there:,} calls were fed, {len(published):,} are published")
    return f"killed and started again: {there:,} calls are stored and published, each once"


def kill_at_work(app: App, before: int, pid: int) -> None:
    """Kill process *pid* as soon as it has taken in some of what comes."""
    deadline = time.monotonic() + AT_WORK_S
    while calls_of(call_center(app)) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)


def published_calls(app: App, least: int) -> list[bytes]:
    """The keys of all calls on the product's topic, once there are *least*, or when time is up.

    A row is in the storage a moment before its message is in Kafka.
    """
    deadline = time.monotonic() + WAIT_S
    while len(found := keys_in_kafka(app)) < least and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def keys_in_kafka(app: App) -> list[bytes]:
    """The keys of the calls on the product's topic that are committed."""
    from mesh.product.readback import read_back

    topic = app.project.contract(CALLS).topic
    chunks = read_back(app.endpoint, app.principal(PRODUCT), topic)
    return [each.key() or b"" for chunk in chunks for each in chunk if each.value() is not None]
