"""What `mesh mdm run` leaves in the state folder: the report, and the golden records by card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.errors import SettingsError, WrongUse
from mesh.migrate.mdm.match import TEXT
from mesh.migrate.mdm.twin import Twin
from mesh.product.durable import put

__all__ = ["FOLDER", "golden_record", "keep", "kept_report", "record_rows"]

FOLDER = "mdm"
REPORT, CARDS = "report.json", "cards.parquet"


def record_rows(twin: Twin, rule: list[str]) -> pa.Table:
    """A row a card of the last night: its golden record, what it says, the number it answers.

    `person` is whose the card is, in truth; `stands_for`, whom its golden record is about.
    """
    held, night = twin.held, twin.last
    answers = {night.text_of(number, rule): number for number in night.contracts}
    found = []
    for (role, about), text in night.cards.items():
        found.append(
            {
                "record": int(night.label[text]),
                "role": role,
                "about": about,
                "text": text,
                "answers": answers.get(text),
                "person": held.names[int(held.person[text])],
                "stands_for": held.names[int(night.person[text])],
            }
        )
    rows = pa.Table.from_pylist(found)
    said = held.texts.take(rows["text"])
    for name in TEXT:
        rows = rows.append_column(name, said[name])
    return rows.sort_by([("record", "ascending"), ("about", "ascending"), ("role", "ascending")])


def keep(folder: Path, report: Mapping[str, Any], cards: pa.Table) -> None:
    """Write both; the report last, since it says that all is there."""
    pq.write_table(cards, folder / CARDS)
    draft = folder / f"{REPORT}.draft"
    draft.write_text(json.dumps(report, indent=1), encoding="utf-8")
    put(draft, folder / REPORT)


def kept_report(folder: Path) -> dict[str, Any]:
    """The report of the last run. Raises `SettingsError` where there was none."""
    try:
        found: dict[str, Any] = json.loads((folder / REPORT).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError("there is no report yet: run `mesh mdm run`") from error
    return found


def golden_record(folder: Path, number: str) -> list[dict[str, Any]]:
    """The cards of the golden record that a number leads to. Raises `WrongUse` where to none."""
    kept_report(folder)
    rows: list[dict[str, Any]] = pq.read_table(folder / CARDS).to_pylist()
    hits = {each["record"] for each in rows if each["answers"] == number}
    if not hits:
        raise WrongUse(f"no golden record has the number {number[:40]!r}: write it as +12025550123")
    return [each for each in rows if each["record"] in hits]
