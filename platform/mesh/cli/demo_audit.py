"""The demo's step at the audit log: a call is proven with a key alone, and a forgery is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mesh.cli.app import App
from mesh.cli.audit_ask import all_logs, text_at
from mesh.cli.demo_checks import WAIT_S, check
from mesh.cli.read import find_port, get_token
from mesh.contract.audit import AUDIT_SERVICE
from mesh.errors import Unproven

if TYPE_CHECKING:
    from mesh.audit.note import LogKey

__all__ = ["prove_a_call"]

READER = "ada"


def prove_a_call(app: App) -> str:
    """Take the proof of a call away, check it as a stranger would, then alter it."""
    from mesh.audit.note import LogKey
    from mesh.audit.proof import verified

    topic = find_port(app.project, "calls").topic
    log = next(each for each in all_logs(app) if each["topic"] == topic)
    deadline = time.monotonic() + WAIT_S
    while not log["entries"] and time.monotonic() < deadline:
        time.sleep(0.2)
        log = next(each for each in all_logs(app) if each["path"] == log["path"])
    check(log["entries"], f"the audit log has no entry of {topic}")
    path = str(log["path"]).replace("/logs/", "/opened/", 1)
    proof = text_at(
        app, f"{path}/proof/{log['last_offset']}", get_token(app, READER, AUDIT_SERVICE)
    )
    key = LogKey.parse(text_at(app, "/key"))
    found = verified(proof, key)
    check(found.message is not None, "the proof has no message")
    check(is_refused(proof.replace("index ", "index 1", 1), key), "an altered proof was believed")
    return f"entry {found.index} of {found.size} is proven by the log's key alone; a forgery is not"


def is_refused(proof: str, key: LogKey) -> bool:
    """Whether nothing is proven."""
    from mesh.audit.proof import verified

    try:
        verified(proof, key)
    except Unproven:
        return True
    return False
