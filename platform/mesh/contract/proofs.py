"""The proofs of the first rungs: data that came, again and on schedule, and keeps its contract.

Not here: the rungs of a port that streams (`levels`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from mesh.contract.evidence import Demand, Evidence, Trial, demand, spoken
from mesh.contract.model import Contract, Product
from mesh.contract.names import listed
from mesh.contract.sla import sla_of

__all__ = ["GRACE", "came", "digest_of", "is_contracted"]

# Data may be half a period late; a stream without a `frequency` is expected to move once a day.
GRACE = 1.5
STREAM_S = 86_400.0
# A test that is older says nothing any more.
TEST_S = 26 * 3600.0
ACCEPTED = ("active", "deprecated")


def digest_of(contract: Contract) -> str:
    """What tells a contract from one that was edited since."""
    text = json.dumps(contract.document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def came(product: Product, seen: Evidence, now: datetime) -> Iterator[Demand]:
    """Data is there, came again, and comes as often as it is due."""
    ports = [each.contract for each in product.outputs]
    counts = {
        each.port: [one.at for one in seen.deliveries if one.port == each.port] for each in ports
    }
    most = max(map(len, counts.values()), default=0)
    said = f"{most} deliver{'y' if most == 1 else 'ies'}"
    yield demand("dump", "its data is there", "1 delivery", "deliver its data")(most > 0, said)
    yield demand("refreshed", "its data came again", "2 deliveries", "deliver once more")(
        most > 1, said
    )
    due = demand(
        "refreshed",
        "its data comes on the declared schedule",
        f"the last two within {GRACE:g} times the schedule, and the last no older",
        "deliver as often as `frequency` in the contract says, or declare what can be kept",
    )
    late = [lateness(each, counts[each.port], now) for each in ports if len(counts[each.port]) > 1]
    if not late:
        yield due(False, "less than two deliveries of any port")
    else:
        yield due(*max(late, key=lambda one: one[0]))


def lateness(contract: Contract, times: Sequence[datetime], now: datetime) -> tuple[bool, str]:
    """Whether a port's data comes as often as declared, and in words."""
    frequency_s = sla_of(contract).frequency_s or (STREAM_S if contract.is_streamed else None)
    gap, age = (times[-1] - times[-2]).total_seconds(), (now - times[-1]).total_seconds()
    if frequency_s is None:
        return False, f"{contract.id} declares no `frequency`"
    words = f"{contract.id}: the last {spoken(age)} ago, {spoken(gap)} after the one before"
    return max(gap, age) <= GRACE * frequency_s, f"{words}; due every {spoken(frequency_s)}"


def is_contracted(product: Product, seen: Evidence, now: datetime) -> Iterator[Demand]:
    """The owner accepted every contract, and each is kept by the real data."""
    contracts = [each.contract for each in product.outputs]
    drafts = [each.id for each in contracts if each.status not in ACCEPTED]
    yield demand(
        "contracted",
        "its owner accepted the contract",
        "`status: active` in every contract",
        "the owner edits the contract and writes `status: active` in it",
    )(not drafts, f"no draft, of {len(contracts)}" if not drafts else f"{listed(drafts)}: a draft")
    known = {each.port for each in contracts}
    newest = {each.port: each for each in seen.tests if each.port in known}
    faults = [fault for each in contracts if (fault := trouble(each, newest.get(each.port), now))]
    rows = sum(each.rows for each in newest.values())
    if not faults and not rows:
        faults = ["there was no row to test"]
    yield demand(
        "contracted",
        "the contract's tests pass on the real data",
        f"a test of each contract as it is now, not older than {spoken(TEST_S)}, nothing broken",
        "mend the data or the contract, until its tests pass",
    )(not faults, listed(faults, limit=3) if faults else f"nothing broken in {rows} rows")


def trouble(contract: Contract, test: Trial | None, now: datetime) -> str:
    """What is wrong with the newest test of a contract; nothing if it passed."""
    if test is None:
        return f"{contract.id}: never tested"
    if test.digest != digest_of(contract):
        return f"{contract.id}: changed since its last test"
    if (age := (now - test.at).total_seconds()) > TEST_S:
        return f"{contract.id}: tested {spoken(age)} ago"
    broken = listed(f"{name} by {count}" for name, count in sorted(test.broken.items()))
    return f"{contract.id}: {broken} of {test.rows} rows" if broken else ""
