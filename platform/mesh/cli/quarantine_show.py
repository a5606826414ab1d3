"""How an entry of a quarantine is picked and shown: as a document, as bytes safe to look at.

Not here: reading it, and asking for it (`quarantine`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mesh.cli.output import printable, show_json, show_table
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.product.quarantine import Entry, Original

__all__ = ["as_document", "by_id", "is_port", "show_entry", "show_outcomes"]

# Of a value, on a terminal; `--json` has all of it.
PREVIEW = 512
A_LINE = 16
OUTCOMES = ("replayed", "asked", "rejected again", "superseded")


def as_document(entry: Entry) -> dict[str, object]:
    """What is said of an entry in a list: nothing of its key and value."""
    topic, partition, offset = entry.origin
    return {
        "id": entry.id,
        "product": entry.product,
        "port": entry.port,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "rule": entry.rule,
        "field": entry.field,
        "reason": entry.reason,
        "rejected_at": instant(entry.rejected_at),
        "state": entry.state,
        "size": entry.size,
        "is_whole": entry.is_whole,
    }


def show_entry(entry: Entry, original: Original | None, *, as_json: bool) -> None:
    """Print an entry with its bytes."""
    from mesh.backbone.wire import Unreadable, unframe

    key = None if original is None else original.key
    value = None if original is None else original.value
    framed = unframe(value or b"")
    document = as_document(entry) | {
        "schema_id": None if isinstance(framed, Unreadable) else framed[0],
        "sent_at": None if original is None else instant(original.sent_at),
        "traceparent": None if original is None else original.trace,
        "key_hex": None if key is None else key.hex(),
        "key_text": text_of(key),
        "value_hex": None if value is None else value.hex(),
        "value_text": text_of(value),
    }
    if as_json:
        show_json(document)
        return
    for name, each in document.items():
        if not name.startswith("value_"):
            click.echo(f"{name:<12} {'' if each is None else printable(str(each))}".rstrip())
    if value is None:
        click.echo("value        none: it is a tombstone")
        return
    shown = "" if len(value) <= PREVIEW else f", the first {PREVIEW} of them"
    click.echo(f"value        {len(value):,} bytes{shown}")
    click.echo(hex_dump(value[:PREVIEW]))


def show_outcomes(found: Sequence[Entry], refused: Mapping[str, str], *, as_json: bool) -> bool:
    """Print what became of a replay; whether all of it got through, or is on its way."""
    documents = [as_document(e) | {"refused": refused.get(e.id)} for e in found]
    counts = Counter(e.state for e in found if e.id not in refused)
    if as_json:
        named = {each.replace(" ", "_"): counts[each] for each in OUTCOMES}  # type: ignore[index]  # states, all of them
        show_json({**named, "refused": len(refused), "entries": documents})
        return not refused and not counts["rejected again"]
    if found:
        rows = [
            (
                each["id"],
                "refused" if each["refused"] else each["state"],
                printable(str(each["refused"] or ("" if is_through(each) else each["reason"]))),
            )
            for each in documents
        ]
        show_table(("id", "state", "reason"), rows)
    summary = ", ".join(f"{counts[each]:,} {each}" for each in OUTCOMES if counts[each])  # type: ignore[index]  # states, all of them
    summary += f"{', ' if summary else ''}{len(refused):,} refused" if refused else ""
    click.echo(summary or "nothing waits to be replayed")
    return not refused and not counts["rejected again"]


def instant(at: datetime) -> str:
    """An instant as JSON has it."""
    return at.isoformat().replace("+00:00", "Z")


def is_through(document: Mapping[str, object]) -> bool:
    """Whether the reason of an entry is no longer true, or not known yet."""
    return document["state"] in ("replayed", "asked")


def text_of(data: bytes | None) -> str | None:
    """*data* as text that is safe on a terminal; None where it is not UTF-8."""
    try:
        return None if data is None else printable(data.decode())
    except UnicodeDecodeError:
        return None


def hex_dump(data: bytes) -> str:
    """*data* as lines of hexadecimal numbers, with what of it is plain ASCII beside them."""
    lines = []
    for start in range(0, len(data), A_LINE):
        part = data[start : start + A_LINE]
        plain = "".join(chr(each) if 32 <= each < 127 else "." for each in part)
        lines.append(f"  {start:04x}  {part.hex(' '):<{3 * A_LINE}} {plain}")
    return "\n".join(lines)


def is_port(entry: Entry, port: str | None) -> bool:
    """Whether *entry* is of *port*, a name or a contract's id; of all where it is None."""
    return port is None or port in (entry.port, entry.port.split(".")[1])


def by_id(product: str, entries: Sequence[Entry], ids: Sequence[str]) -> list[Entry]:
    """The entries with these *ids*. Raises `WrongUse` where there is none of that id."""
    known = {each.id: each for each in entries}
    missing = [each for each in ids if each not in known]
    if missing:
        raise WrongUse(
            f"{product} has set aside nothing that is called {', '.join(missing)}: "
            f"see `mesh quarantine list {product}`"
        )
    return [known[each] for each in dict.fromkeys(ids)]
