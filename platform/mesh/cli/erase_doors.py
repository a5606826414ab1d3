"""How `mesh erase` speaks with products and the audit service, as whoever erases.

Not here: the order of its steps (`erasing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mesh.cli.app import App
from mesh.cli.audit_ask import all_logs
from mesh.cli.doors import answer
from mesh.cli.read import get_token
from mesh.contract.audit import AUDIT_SERVICE, ERASER
from mesh.contract.sql import SQL_SERVICE
from mesh.contract.whose import Whose
from mesh.errors import MeshError, Unreachable
from mesh.product.plan import inputs_of

__all__ = ["audit_past", "audited", "products_past", "rewrite", "running", "settled"]

PATIENCE_S, POLL_S = 180.0, 0.3
AUDIT_S = 3600.0
Say = Callable[[str], None]
Offsets = Mapping[str, Mapping[int, int]]


def running(app: App) -> tuple[str, ...]:
    """The products that keep what they read. Raises `NotRunning` where one does not run."""
    products = [each for each in app.project.products.values() if not each.is_batch_only]
    for name in (AUDIT_SERVICE, SQL_SERVICE, *(each.id for each in products)):
        app.address(name)
    return tuple(each.id for each in products)


def settled(app: App, product: str, say: Say) -> None:
    """Wait until *product* has taken in all that there is: an old answer may be wrong."""
    say(f"waiting for {product} to have read everything")
    url = f"{app.address(product)}/status"
    until(lambda: answer("GET", url).get("lag") == 0, f"{product} is behind")


def products_past(app: App, ends: Offsets, say: Say) -> None:
    """Wait until every product has taken in what stands before *ends* of the topics it reads."""
    for name in running(app):
        product = app.project.product(name)
        topics = {
            source.contract.topic
            for port in product.inputs
            for source in inputs_of(app.project, product, port)
        }
        wanted = {topic: its for topic, its in ends.items() if topic in topics}
        if wanted:
            say(f"waiting for {name} to come past what was erased")
            until(partial(product_is_past, app, name, wanted), f"{name} is not past it")


def product_is_past(app: App, product: str, wanted: Offsets) -> bool:
    """Whether *product* has taken in everything before the offsets that are *wanted*."""
    done: Any = answer("GET", f"{app.address(product)}/status").get("offsets") or {}
    return all(
        int(done.get(topic, {}).get(str(partition), 0)) >= end
        for topic, its in wanted.items()
        for partition, end in its.items()
    )


def audit_past(app: App, ends: Offsets, say: Say) -> None:
    """Wait until the audit logs have what stands before *ends* of public topics."""
    say("waiting for the audit logs to have all of it")
    wanted = {
        (topic, partition): end
        for topic, its in ends.items()
        for partition, end in its.items()
        if topic.startswith("pub.")
    }

    def is_past() -> bool:
        logs = {
            (each["topic"], each["partition"]): each
            for each in all_logs(app)
            if each["state"] != "ended"
        }
        # One that is stopped gets no further, and says so in `mesh status`.
        return all(
            it in logs and (logs[it]["state"] == "stopped" or logs[it]["last_offset"] + 1 >= end)
            for it, end in wanted.items()
        )

    until(is_past, "the audit service is behind")


def audited(
    app: App, request: str, whose: Whose, *, is_dry: bool = False
) -> Sequence[Mapping[str, Any]]:
    """Have what opens the person's entries destroyed, or counted; what became of each log."""
    found: Any = answer(
        "POST",
        f"{app.address(AUDIT_SERVICE)}/erasures",
        headers=headers(app, AUDIT_SERVICE),
        json={"request": request, "whose": whose.document(), "is_dry": is_dry},
        # It looks through all that it keeps.
        timeout=AUDIT_S,
    )
    return list(found)


def rewrite(app: App, product: str) -> None:
    """Have a product write its storage anew, and wait until it has."""
    url = f"{app.address(product)}/control"
    asked = ""

    def is_done() -> bool:
        nonlocal asked
        control = answer("GET", url)
        if asked and str(control["rewritten_at"] or "") >= asked:
            return True
        if control["rewriting_asked_at"] is None:
            # Not yet asked, or whoever was asked has died before.
            found = answer("POST", f"{url}/rewrite", headers=headers(app, product))
            asked = str(found["rewriting_asked_at"])
        return False

    until(is_done, f"{product} has not written its storage anew")


def headers(app: App, audience: str) -> dict[str, str]:
    """What says who asks."""
    return {"Authorization": f"Bearer {get_token(app, ERASER, audience)}"}


def until(holds: Callable[[], bool], why: str) -> None:
    """Wait until it *holds*; a door that is shut for a moment is asked again.

    Raises `Unreachable` with the reason where it does not come to hold.
    """
    end, trouble = time.monotonic() + PATIENCE_S, ""
    while True:
        try:
            if holds():
                return
        except MeshError as error:
            trouble = f" ({error})"
        if time.monotonic() > end:
            raise Unreachable(
                f"{why} after {PATIENCE_S:.0f} s{trouble}: see `mesh status`, and ask again with "
                "the same request, which goes on"
            )
        time.sleep(POLL_S)
