"""The demo's step at the audit log: a call is proven with a key alone, and all is as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mesh.cli.app import App
from mesh.cli.audit_ask import all_logs, proof_of, text_at
from mesh.cli.demo_checks import check, until
from mesh.cli.read import find_port
from mesh.contract.audit import AUDIT
from mesh.errors import Unproven

if TYPE_CHECKING:
    from mesh.audit.note import LogKey

__all__ = ["prove_a_call"]

READER = "ada"


def prove_a_call(app: App) -> str:
    """Take the proof of a call away, check it as a stranger would, alter it; then verify all."""
    from mesh.audit.note import LogKey
    from mesh.audit.proof import verified

    topic = find_port(app.project, "calls").topic

    def logs() -> list[Mapping[str, Any]]:
        return [each for each in all_logs(app) if each["topic"] == topic and each["entries"]]

    check(until(logs), f"the audit log has no entry of {topic}")
    log = logs()[0]
    proof = proof_of(app, log, log["last_offset"], READER)
    key = LogKey.parse(text_at(app, "/key"))
    found = verified(proof, key)
    check(found.message is not None, "the proof has no message")
    check(is_refused(proof.replace("index ", "index 1", 1), key), "an altered proof was believed")
    proven = f"entry {found.index} of {found.size} is proven by the log's key alone"
    if not app.home.secret_path(AUDIT).exists():
        return f"{proven}; all of them are verified where {AUDIT} has its secret"
    return f"{proven}; all {verify_all(app):,} entries are as signed"


def verify_all(app: App) -> int:
    """Compare everything that was logged with topics and rows; how many entries that is."""
    from mesh.audit.verify import verify
    from mesh.cli.audit_live import sources_of

    with sources_of(app, None, []) as sources:
        verdict = verify(sources)
    check(verdict.findings.is_fine, f"found {', '.join(map(str, verdict.findings.found[:3]))}")
    return verdict.entries


def is_refused(proof: str, key: LogKey) -> bool:
    """Whether nothing is proven."""
    from mesh.audit.proof import verified

    try:
        verified(proof, key)
    except Unproven:
        return True
    return False
