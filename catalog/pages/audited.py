"""What the change audit log says, as documents of pages: changes, a row's history, the logs.

What was said on a port is told only where everybody may read every row of it (`is_open`). Else
not even the offsets of one key are: when somebody called is personal too. Not here: HTTP.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from catalog.audit_door import AuditDoor
from catalog.pages.texts import link_to, mapping, mappings
from catalog.shelf import Shelf
from mesh.contract.model import Contract
from mesh.ports.dictionary import is_open

__all__ = ["changes_document", "history_document", "logs_document"]

PAGE, MOST_CHANGES, MOST_LOGS = 20, 100, 500
LONGEST_VALUE = 200
TOLD = ("at", "writer", "partition", "offset", "key", "change")
LOGGED = ("topic", "topic_id", "partition", "entries", "root", "newest_at", "state", "lag",
          "missed", "reason", "key")  # fmt: skip


def changes_document(
    shelf: Shelf, contract: Contract, door: AuditDoor, before: str | None
) -> dict[str, object]:
    """The newest changes of a port before a moment. Raises a `MeshError`."""
    is_told = is_open(contract, shelf.project.identifiers)
    path = f"/{'newest' if is_told else 'entries'}/{contract.id}"
    found = mapping(door.document(path, is_granted=is_told, before=before, last=PAGE))
    return {
        **headed(contract, "KEY", is_told=is_told),
        "changes": [change_of(each) for each in mappings(found.get("changes"))],
        "older": found.get("older"),
    }


def history_document(
    shelf: Shelf, contract: Contract, door: AuditDoor, key: str
) -> dict[str, object]:
    """What became of the row with *key*, its last changes at the end. Raises a `MeshError`."""
    changes: Sequence[Mapping[str, object]] = ()
    is_told = is_open(contract, shelf.project.identifiers)
    if is_told:
        found = mapping(door.document(f"/history/{contract.id}", is_granted=True, key=key))
        changes = mappings(found.get("changes"))
    return {
        **headed(contract, key, is_told=is_told),
        "key": key,
        "count": len(changes),
        "changes": [change_of(each) for each in changes[-MOST_CHANGES:]],
    }


def headed(contract: Contract, key: str, *, is_told: bool) -> dict[str, object]:
    """What is said of a port above its changes, with the command that tells whoever may know."""
    dashes = "-- " if key.startswith("-") else ""
    return {
        "product": contract.product,
        "port": contract.port,
        "contract": contract.id,
        "topic": contract.topic,
        "is_open": is_told,
        "command": f"mesh audit history {dashes}{contract.id} {shlex.quote(key)}",
    }


def change_of(change: Mapping[str, object]) -> dict[str, object]:
    """One change: what is not told is None."""
    before, after = mapping(change.get("before")), mapping(change.get("after"))
    names = change.get("fields")
    return {
        **{name: change.get(name) for name in TOLD},
        "fields": [
            {
                "name": str(each),
                "before": text_of(before.get(each)),
                "after": text_of(after.get(each)),
            }
            for each in (names if isinstance(names, list) else [])
        ],
        "proof": linked(change.get("proof")),
    }


def logs_document(shelf: Shelf, door: AuditDoor, topic: str | None) -> dict[str, object]:
    """Every log, or those of a topic, as its last checkpoint has it. Raises a `MeshError`."""
    ports = {
        port.contract.topic: link_to("products", entry.product.id, "changes", port.name)
        for entry in shelf.entries.values()
        for port in entry.product.outputs
        if port.contract.is_streamed
    }
    logs = [each for each in mappings(door.document("/logs")) if topic in (None, each.get("topic"))]
    return {
        "key": door.text("/key").strip(),
        "topic": topic,
        "count": len(logs),
        "logs": [
            {
                **{name: each.get(name) for name in LOGGED},
                "changes": ports.get(str(each.get("topic"))),
                "checkpoint": linked(f"{each.get('path')}/checkpoint"),
                "proof": linked(f"{each.get('path')}/proof/{each.get('last_offset')}")
                if each.get("entries")
                else None,
            }
            for each in logs[:MOST_LOGS]
        ],
    }


def linked(path: object) -> str:
    """Where the catalogue hands on what the audit service has at *path*."""
    return f"/audit/{str(path).removeprefix('/logs/')}"


def text_of(value: object) -> str | None:
    """A value as a page has room for it."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
