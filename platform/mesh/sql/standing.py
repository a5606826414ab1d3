"""How one mart stands: from which rows it was made, its copies for workers, what is said of it.

Not here: its rows (`mart`), and when it is refreshed (`marts`).
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.contract.types import duckdb_columns
from mesh.errors import StorageError
from mesh.sql.mart import MartFile
from mesh.sql.part import Changed, Part
from mesh.sql.shelf import Shown, copy_of, name_of

__all__ = ["Standing"]

KEPT_COPIES = 2
GENERATIONS = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Standing:
    """A mart as it stands; *made_from* tells of which rows of its inputs, in this process."""

    file: MartFile
    copies: Path
    made_from: Mapping[str, tuple[object, int]] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    next_at: float = 0.0
    took_ms: int = 0
    is_part: bool = False
    reason: str = ""

    def part(self, shown: Sequence[Shown]) -> Part | None:
        """What is enough to be computed over *shown*, its inputs; None where it is all.

        What changed is known of events alone, and while none of theirs has gone.
        """
        mart, before = self.file.mart, self.made_from
        if not mart.keys_sql or not before:
            return None
        for each in shown:
            era, changes = before[each.contract.id]
            is_event = each.contract.kind == "event"
            if (era is not each.era) if is_event else ((era, changes) != (each.era, each.changes)):
                return None
        names = {each.id: name for name, each in mart.inputs.items()}
        changed = [
            Changed(
                name=names[each.contract.id],
                number=number,
                columns=each.copy.columns,
                since={
                    partition: self.file.offsets[each.contract.topic].get(partition, 0)
                    for partition in each.offsets
                },
            )
            for number, each in enumerate(shown)
            if each.contract.kind == "event"
        ]
        return Part(
            keys_sql=mart.keys_sql,
            changed=tuple(changed),
            needs_sql=mart.needs_sql,
        )

    def show(self, *, is_other: bool) -> None:
        """Have the file's rows taken for the newest, and remove copies that nobody opens.

        Rows that are no *is_other* than before are true for later offsets.
        """
        contract, generation = self.file.mart.contract, next(GENERATIONS)
        if is_other or not self.shown:
            path = self.copies / f"{contract.id}.{generation}.duckdb"
            try:
                shutil.copyfile(self.file.path, path)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise StorageError(f"{path} cannot be written: {error.strerror}") from error
        else:
            path = self.shown[-1].copy.path
        made = Shown(
            contract=contract,
            copy=copy_of(contract, generation, path),
            offsets={
                f"{topic}[{partition}]": next_
                for topic, each in sorted(self.file.offsets.items())
                for partition, next_ in each.items()
            },
            changes=generation,
            at=time.monotonic(),
        )
        left = [*self.shown, made][-KEPT_COPIES:]
        for gone in {each.copy.path for each in self.shown} - {each.copy.path for each in left}:
            gone.unlink(missing_ok=True)
        self.shown = left

    def drop(self) -> None:
        """Have no rows any more, and no file of them."""
        self.file.remove()
        for each in self.shown:
            each.copy.path.unlink(missing_ok=True)
        self.shown, self.made_from, self.next_at = [], {}, 0.0

    def told(self) -> Mapping[str, object]:
        """What there is to say of it."""
        mart = self.file.mart
        return {
            "table": ".".join(name_of(mart.contract)),
            "query": mart.promise.name,
            "version": mart.promise.version,
            "owner": mart.owner,
            "columns": [
                {"name": name, "type": type_} for name, type_ in duckdb_columns(mart.contract)
            ],
            "inputs": sorted(mart.reads),
            "every_s": mart.every_s or None,
            "rows": self.file.rows,
            "refreshed_at": self.file.refreshed_at or None,
            "offsets": self.file.offsets,
            "took_ms": self.took_ms,
            "is_part": self.is_part,
            "reason": self.reason,
        }
