"""The demo's steps at access: asked for, granted, revoked and refused; and writing elsewhere."""

from __future__ import annotations

from mesh.cli.access import act
from mesh.cli.app import App
from mesh.cli.demo_checks import check, until
from mesh.cli.read import fetch_rows, find_port
from mesh.errors import Refused

__all__ = ["ask_for_access", "refuse_foreign_writes"]

OWNER, ANALYST = "grace", "mallory"
PURPOSE = "See how access is asked for."


def ask_for_access(app: App) -> str:
    """Have somebody ask for the calls, read them once granted, and be refused once revoked."""
    port = find_port(app.project, "calls").id
    its = {"port": port, "principal": ANALYST}
    check(not may_read(app), f"{ANALYST} may read {port} already")
    asked = act(app, "request", ANALYST, {"port": port, "purpose": PURPOSE})
    check(asked["state"] == "requested", f"the request is {asked['state']}")
    check(not may_read(app), "asking alone lets somebody read")
    check(is_shut(app, its), f"{ANALYST} may grant what is not hers")
    act(app, "grant", OWNER, its)
    check(until(lambda: may_read(app)), "who was granted the port cannot read it")
    act(app, "revoke", OWNER, {**its, "reason": "the demo is over"})
    check(until(lambda: not may_read(app)), "who was revoked reads on")
    return f"{ANALYST} asks in vain, reads by {OWNER}'s word, and reads no more by her next one"


def may_read(app: App) -> bool:
    """Whether the product's door lets the analyst in."""
    try:
        fetch_rows(app, find_port(app.project, "calls"), 1, ANALYST)
    except Refused:
        return False
    return True


def is_shut(app: App, its: dict[str, str]) -> bool:
    """Whether who asks may not grant."""
    try:
        act(app, "grant", ANALYST, its)
    except Refused:
        return True
    return False


def refuse_foreign_writes(app: App) -> str:
    """Let everybody write where they may not."""
    from mesh.control.drills import foreign_write

    result = foreign_write(app.project, app.home, app.endpoint)
    check(result["ok"] is True, f"the broker let somebody write: {result['missed']}")
    return f"the broker refused {result['cases']} of {result['cases']} foreign writes"
