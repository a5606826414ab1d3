"""The journal of one operational system: its change records of all kinds, in the order of writing.

Record i of a seed is always the same, so that a feed may stop and go on anywhere.
Not here: the columns of a record, which each system gives it (`crm_system`, `billing_system`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from company.changes import Changes, Facts, Stated, Troubles, state, write_down
from company.crm import instants
from company.draws import Ints

__all__ = ["LINK_CHANGE", "Journal", "keep_journal", "link_changes", "merged"]

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """All records of *facts* by kind; *kind* counts in it, *fact* within the kind."""

    seed: int
    troubles: Troubles
    facts: Mapping[str, Facts]
    kind: NDArray[np.int8]
    fact: NDArray[np.int32]
    step: NDArray[np.int8]
    written: Ints

    def __len__(self) -> int:
        return len(self.written)

    def stated(self, start: int, stop: int) -> Iterator[tuple[str, Ints, Stated, Ints]]:
        """Yield kind, positions from *start* on, what is stated, when written, kind by kind."""
        for number, (name, facts) in enumerate(self.facts.items()):
            chosen = np.flatnonzero(self.kind[start:stop] == number)
            if not len(chosen):
                continue
            changes = Changes(
                fact=self.fact[start:stop][chosen].astype(np.int64),
                step=self.step[start:stop][chosen].astype(np.int64),
                written=self.written[start:stop][chosen],
            )
            yield name, chosen, state(self.seed, facts, changes, self.troubles), changes.written


def keep_journal(seed: int, facts: Mapping[str, Facts], troubles: Troubles) -> Journal:
    """Write down *facts* of all kinds in one order."""
    parts = [write_down(seed, each, troubles) for each in facts.values()]
    written = np.concatenate([each.written for each in parts])
    order = np.argsort(written, kind="stable")
    kinds = [np.full(len(each.fact), n, dtype=np.int8) for n, each in enumerate(parts)]
    return Journal(
        seed=seed,
        troubles=troubles,
        facts=facts,
        kind=np.concatenate(kinds)[order],
        # Millions of records: half the memory of 64 bits.
        fact=np.concatenate([each.fact.astype(np.int32) for each in parts])[order],
        step=np.concatenate([each.step.astype(np.int8) for each in parts])[order],
        written=written[order],
    )


def merged(parts: list[tuple[str, Ints, pa.Table]]) -> dict[str, pa.Table]:
    """Return the tables by port; parts of the same port by the positions of their rows."""
    tables: dict[str, pa.Table] = {}
    for port in dict.fromkeys(name for name, _, _ in parts):
        places = np.concatenate([at for name, at, _ in parts if name == port])
        rows = pa.concat_tables([rows for name, _, rows in parts if name == port])
        tables[port] = rows.take(pa.array(np.argsort(places, kind="stable"))).combine_chunks()
    return tables


LINK_CHANGE = (
    pa.field("statement_id", pa.string(), nullable=False),
    pa.field("link_id", pa.string(), nullable=False),
    pa.field("revision", pa.int64(), nullable=False),
    pa.field("valid_from", _INSTANT),
    pa.field("valid_to", _INSTANT),
    pa.field("retracted", pa.bool_(), nullable=False),
    pa.field("written_at", _INSTANT, nullable=False),
)
"""What every record of a link has; the ends of the link are the system's own columns."""


def link_changes(
    prefix: str, stated: Stated, written: Ints, ends: Mapping[str, pa.Array | list[str]]
) -> pa.Table:
    """Return records of links, whose ends are the columns *ends*, after `revision`."""
    links = stated.link_ids(prefix)
    revisions = stated.revision.tolist()
    columns = [
        [f"{link}-{n}" for link, n in zip(links, revisions, strict=True)],
        links,
        revisions,
        *ends.values(),
        instants(stated.start),
        instants(stated.end),
        pa.array(stated.is_retracted),
        instants(written),
    ]
    named = [pa.field(name, pa.string(), nullable=False) for name in ends]
    return pa.table(columns, schema=pa.schema([*LINK_CHANGE[:3], *named, *LINK_CHANGE[3:]]))
