"""Tests of a replay of what an output port has refused: by the message that caused it."""

from __future__ import annotations

import pytest

from tests.replays import (
    allow_the_queue,
    ask,
    assert_once,
    entries,
    of_a_new_queue,
    put,
    said_of,
    send_among_good,
    states,
)
from tests.stream import CALLS, MASKED, calls, message, published_ids, run, stored_ids

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_a_query_that_is_mended_lets_its_row_through_once(workbench):
    sql = put(workbench, "calls.sql", "        queue,\n", "        queue_checked as queue,\n")
    put(
        workbench,
        "calls.sql",
        "select * from new_finished_calls",
        "select *, case when queue = 'nonsense' then cast('x' || queue as integer)::varchar"
        " else queue end as queue_checked from new_finished_calls",
    )
    allow_the_queue(workbench)
    (place,) = send_among_good(workbench, of_a_new_queue(workbench))
    # It is missing on the port that masks the other, too.
    assert [(e.port, e.rule) for e in entries(workbench)] == [(CALLS, "sql"), (MASKED, "sql")]
    sql.write_text(sql.read_text().replace("queue_checked as queue", "queue"))
    put(workbench, "calls.sql", "cast('x' || queue as integer)::varchar", "queue")
    assert ask(workbench) == {}
    assert ask(workbench) == {}

    run(workbench, 4)

    assert_once(workbench)
    assert states(workbench) == ["replayed", "replayed"]
    assert [each["ce_id"][-2:] for each in said_of(workbench, place)] == [b"/0"]


def test_of_a_cause_only_the_rows_that_are_missing_are_published(workbench):
    put(
        workbench,
        "calls.sql",
        "select * from new_finished_calls",
        "select * replace (concat(left(call_id::varchar, 35), unnest(['a', 'b', 'c']))::uuid"
        " as call_id), generate_subscripts(['a', 'b', 'c'], 1) as part from new_finished_calls",
    )
    put(workbench, "calls.sql", "as duration_s\n", "+ part as duration_s\n")
    row = calls(1, 50).to_pylist()[0]
    row["ended_at"] = row["started_at"]
    minimum = ("contracts/calls.odcs.yaml", "minimum: 0", "minimum: 2")
    put(workbench, *minimum)
    (place,) = send_among_good(workbench, message(workbench, row))
    assert len(said_of(workbench, place)) == 2
    put(workbench, minimum[0], minimum[2], minimum[1])
    ask(workbench)

    run(workbench, 2)

    assert states(workbench) == ["replayed", "replayed"]
    ids = sorted(each["ce_id"][-2:] for each in said_of(workbench, place))
    assert ids == [b"/0", b"/1", b"/2"]
    parts = [each for each in published_ids(workbench) if each[:35] == row["call_id"][:35]]
    assert sorted(each[-1] for each in parts) == ["a", "b", "c"]
    assert sorted(stored_ids(workbench)) == published_ids(workbench)
