"""A topic against its log: what is gone, changed or too much is named, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesh.audit.entry import ENTRY, Columns, sealed
from mesh.audit.erasures import Marks, Records
from mesh.audit.findings import Findings
from mesh.audit.live import Live
from mesh.audit.origin import id_text
from mesh.audit.policies import DAY_MS, Policy
from mesh.audit.recount import Piece
from mesh.audit.served import Opened
from mesh.backbone.wire import frame
from mesh.erasure.saying import digest
from tests.audit import NAME, columns

NOW = 100 * DAY_MS
DELETE = Policy.of({"cleanup.policy": "delete", "retention.ms": str(DAY_MS)})
COMPACT = Policy.of({"cleanup.policy": "compact", "delete.retention.ms": str(DAY_MS)})
FOREVER = Policy.of({"cleanup.policy": "delete", "retention.ms": "-1"})


def young(messages: Columns) -> Columns:
    """The same, written just now."""
    return replace(messages, timestamps_ms=[NOW] * len(messages.offsets))


def piece(messages: Columns, *, erased=(), needs_salt=False) -> Piece:
    """The entries of *messages*, the first ones of a log."""
    entries, openings = sealed(messages, NAME.topic_id, NAME.partition, needs_salt=needs_salt)
    openings = [None if at in erased else each for at, each in enumerate(openings)]
    return Piece(
        begin=0,
        rows=np.frombuffer(entries, ENTRY),
        sound=np.ones(len(openings), bool),
        opened=Opened(openings=openings, erased=dict.fromkeys(erased, "2026-1")),
    )


def part(messages: Columns, left_out=()) -> Columns:
    """The messages but those at some places."""
    names = ("offsets", "timestamps_ms", "headers", "keys", "values")
    return Columns(
        **{
            name: [each for at, each in enumerate(getattr(messages, name)) if at not in left_out]
            for name in names
        }
    )


def compared(logged: Piece, messages: Columns, policy: Policy = FOREVER, low=0, announced=()):
    """Fault, what and place of each finding."""
    findings = Findings()
    live = Live(
        source="it", policy=policy, low=low, now_ms=NOW, announced=announced, findings=findings
    )
    live.compare(logged, messages)
    live.end()
    return [(each.fault, each.what, each.place) for each in findings.found]


MESSAGES = young(columns(20))


@pytest.mark.parametrize("policy", [DELETE, COMPACT, FOREVER])
def test_a_topic_that_is_as_it_was_logged_has_no_findings(policy):
    assert compared(piece(MESSAGES), MESSAGES, policy) == []


@pytest.mark.parametrize(
    "change",
    [
        {"values": [b"other", *MESSAGES.values[1:]]},
        {"keys": [b"other", *MESSAGES.keys[1:]]},
        {"headers": [[*MESSAGES.headers[0], ("x", b"y")], *MESSAGES.headers[1:]]},
        {"timestamps_ms": [NOW - 1, *MESSAGES.timestamps_ms[1:]]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_message_that_is_not_the_one_that_was_logged_is_altered(change):
    found = compared(piece(MESSAGES), replace(MESSAGES, **change))

    assert found == [("altered", "message", "it offset 0")]


def test_a_withheld_message_may_not_get_a_salt_later():
    bare = young(columns(3, is_salted=False))
    logged = piece(bare, needs_salt=True)

    assert compared(logged, bare) == []
    assert compared(logged, young(columns(3))) == [
        ("altered", "message", f"it offset {offset}") for offset in (0, 2, 4)
    ]


def test_a_message_that_has_no_entry_is_foreign():
    assert compared(piece(part(MESSAGES, [3])), MESSAGES) == [("foreign", "message", "it offset 6")]


def test_a_message_that_is_gone_from_the_midst_of_a_topic_is_missing():
    assert compared(piece(MESSAGES), part(MESSAGES, [3])) == [("missing", "message", "it offset 6")]


def test_what_an_erasure_took_is_not_missing():
    assert compared(piece(MESSAGES, erased=[3]), part(MESSAGES, [3])) == []


@pytest.mark.parametrize(("age_ms", "count"), [(DAY_MS, 0), (DAY_MS - 1, 3)])
def test_what_is_before_the_start_is_missing_if_its_time_had_not_come(age_ms, count):
    messages = replace(MESSAGES, timestamps_ms=[NOW - age_ms] * 20)

    assert len(compared(piece(messages), part(messages, [0, 1, 2]), DELETE, low=6)) == count


def test_what_a_bound_in_bytes_took_is_not_missing():
    bounded = Policy.of({"cleanup.policy": "delete", "retention.bytes": "1000"})

    assert compared(piece(MESSAGES), part(MESSAGES, [0, 1, 2]), bounded, low=6) == []
    assert len(compared(piece(MESSAGES), part(MESSAGES, [5]), bounded, low=6)) == 1


def test_of_a_compacted_topic_only_the_latest_of_a_key_is_missed():
    # The keys repeat every seven messages: the first six were replaced, the last ones were not.
    assert compared(piece(MESSAGES), part(MESSAGES, range(6)), COMPACT) == []
    assert compared(piece(MESSAGES), part(MESSAGES, [3, 10, 17]), COMPACT) == [
        ("missing", "message", "it offset 34")
    ]


def test_a_tombstone_is_missed_until_compaction_may_drop_it():
    gone = next(at for at in range(13, 20) if MESSAGES.values[at] is None)
    old = replace(MESSAGES, timestamps_ms=[NOW - DAY_MS] * 20)

    assert compared(piece(old), part(old, [gone]), COMPACT) == []
    assert len(compared(piece(MESSAGES), part(MESSAGES, [gone]), COMPACT)) == 1
    cleaned = replace(COMPACT, cleaned_ms=NOW)  # by an erasure, whose tombstones say who
    assert compared(piece(MESSAGES), part(MESSAGES, [gone]), cleaned) == []


def test_a_schema_that_was_not_announced_is_foreign_and_named_once():
    messages = replace(MESSAGES, values=[frame(7, b"x")] * 10 + [frame(8, b"x")] * 10)

    assert compared(piece(messages), messages, announced=[7]) == [
        ("foreign", "schema", "it 8, first used at offset 20")
    ]


def test_marks_count_as_erased_only_where_a_record_covers_all_of_them():
    def judged(records):
        marks, findings = Marks(), Findings()
        for offset in (3, 10):
            marks.add(NAME, "2026-1", offset)
        return marks.judge(Records(digests=records), findings), [
            each.place for each in findings.found
        ]

    all_of_them, one = (digest([(NAME.partition, each) for each in at]) for at in ([10, 3], [3]))
    place = f"{NAME.topic} [{NAME.partition}]"
    id_ = id_text(NAME.topic_id)

    assert judged({("2026-1", id_): [one, all_of_them]}) == (2, [])
    assert judged({("2026-1", id_): [one]}) == (0, [f"{place} offset 3", f"{place} offset 10"])
    assert judged({("2026-2", id_): [all_of_them]})[0] == 0
