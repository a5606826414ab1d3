"""What must be true after a drill, from what went in and what a reader saw. Values only.

It knows nothing of how the product works: entries by number, messages by place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Entry", "Posting", "Total", "Verdict", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was fed, with the place at which the broker took it."""

    number: int
    account: str
    amount: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A message of the event port, as it was seen."""

    partition: int
    number: int
    account: str
    amount: int
    twice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A message of the state port, as it was seen."""

    account: str
    entries: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is not true: all of it must be 0."""

    lost: int
    doubled: int
    out_of_order: int
    wrong: int

    @property
    def is_good(self) -> bool:
        """Whether everything holds."""
        return not (self.lost or self.doubled or self.out_of_order or self.wrong)


def judge(
    entries: Mapping[int, Entry], postings: Sequence[Posting], totals: Sequence[Total]
) -> Verdict:
    """Compare what was seen, in the order in which it was seen, with what was fed.

    Each entry's posting once, in the order of its partition, which is the order of its key; each
    account's totals growing, the last of them true.
    """
    times = Counter(each.number for each in postings)
    right = {each.number for each in postings if is_right(each, entries)}
    said: dict[str, list[Total]] = defaultdict(list)
    for each in totals:
        said[each.account].append(each)
    truth = totals_of(entries.values())
    return Verdict(
        lost=len(entries.keys() - right),
        doubled=sum(times.values()) - len(times) + sum(map(repeated, said.values())),
        out_of_order=inversions(entries, postings) + sum(map(steps_back, said.values())),
        wrong=sum(each.number not in right for each in postings)
        + sum(account not in truth for account in said)
        + sum(said[account][-1:] != [total] for account, total in truth.items()),
    )


def is_right(posting: Posting, entries: Mapping[int, Entry]) -> bool:
    """Whether a posting is what its entry makes it."""
    entry = entries.get(posting.number)
    found = (posting.account, posting.amount, posting.twice)
    return entry is not None and found == (entry.account, entry.amount, 2 * entry.amount)


def totals_of(entries: Iterable[Entry]) -> dict[str, Total]:
    """The true total of each account."""
    counts: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for each in entries:
        counts[each.account] += 1
        sums[each.account] += each.amount
    return {
        account: Total(account=account, entries=count, amount=sums[account])
        for account, count in counts.items()
    }


def inversions(entries: Mapping[int, Entry], postings: Sequence[Posting]) -> int:
    """How many postings were seen, for the first time, after one whose entry came later.

    Both topics have as many partitions and the same keys, so a partition's order is kept too.
    """
    newest: dict[int, int] = {}
    seen: set[int] = set()
    found = 0
    for each in postings:
        entry = entries.get(each.number)
        if entry is None or each.number in seen:
            continue
        seen.add(each.number)
        before = newest.get(each.partition, -1)
        found += entry.partition != each.partition or entry.offset < before
        newest[each.partition] = max(before, entry.offset)
    return found


def repeated(said: Sequence[Total]) -> int:
    """How often the same was said of an account twice in a row."""
    return sum(one == other for one, other in pairwise(said))


def steps_back(said: Sequence[Total]) -> int:
    """How often an account went back to an older state."""
    return sum(one.entries > other.entries for one, other in pairwise(said))
