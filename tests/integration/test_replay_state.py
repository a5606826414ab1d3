"""Tests of a replay into a state input: never an older row over a newer one, none brought back."""

from __future__ import annotations

import pytest

from mesh.testing.messages import send_all
from tests.replays import ask, entries
from tests.stats import (
    CALLERS,
    HEAVY,
    PHONES,
    STATS,
    assert_true,
    compacted,
    feed,
    open_stats,
    run,
    storage_of,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FREE, NEWER, GONE = "+12025550100", "+12025550101", "+12025550102"


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with a product that reads the state port of another."""
    with open_stats(backbone, tmp_path) as found:
        yield found


def say(bench, number: str, seconds: int | None) -> None:
    """Write a row of a number, or a tombstone, as the product that owns the topic does."""
    contract = bench.contract(PHONES)
    row = {"phone_number": number, "calls": 5, "seconds": seconds}
    value = None if seconds is None else bench.encoded(contract, row)
    client = bench.backbone.endpoint.client(bench.principal(STATS))
    send_all(client, contract.topic, [{"key": number.encode(), "value": value}])


def relax(bench) -> None:
    """Have the contract allow what was set aside."""
    path = bench.root / "products" / "call_stats" / "contracts" / "phones.odcs.yaml"
    text = path.read_text()
    assert "minimum: 0" in text
    path.write_text(text.replace("minimum: 0", "minimum: -9"))


def kept(bench) -> dict[str, int]:
    """The seconds of each number that the reader keeps."""
    return {row["phone_number"]: row["seconds"] for row in bench.rows(HEAVY, "phones", "input")}


def state_by_number(bench) -> list[tuple[str, str]]:
    """State and rule of what the reader has set aside, in order of arrival."""
    return [(each.state, each.rule) for each in entries(bench, HEAVY)]


def test_a_row_that_a_newer_one_or_a_deletion_has_superseded_is_reported_and_not_applied(bench):
    feed(bench, 7)
    for number in (FREE, NEWER, GONE):
        say(bench, number, 100)
        say(bench, number, -1)
    run(bench, HEAVY)
    assert kept(bench)[FREE] == 100
    say(bench, NEWER, 7)
    say(bench, GONE, None)
    run(bench, HEAVY, 2)
    relax(bench)
    assert ask(bench, HEAVY) == {}

    run(bench, HEAVY, 3)

    assert kept(bench)[FREE] == -1
    assert kept(bench)[NEWER] == 7
    assert GONE not in kept(bench)
    assert sorted(state_by_number(bench)) == [
        ("replayed", "seconds.minimum"),
        ("superseded", "superseded"),
        ("superseded", "superseded"),
    ]
    assert_true(bench, CALLERS)
    before = kept(bench), compacted(bench, CALLERS), state_by_number(bench)
    storage_of(bench, HEAVY).unlink()
    ask(bench, HEAVY)

    run(bench, HEAVY, 3)

    assert (kept(bench), compacted(bench, CALLERS), state_by_number(bench)) == before


def test_of_two_rows_of_a_key_the_later_one_stands_whatever_is_asked_for_first(bench):
    feed(bench, 7)
    say(bench, FREE, -1)
    say(bench, FREE, -2)
    run(bench, HEAVY)
    relax(bench)
    older, newer = sorted(entries(bench, HEAVY), key=lambda each: each.origin)
    ask(bench, HEAVY, newer)
    run(bench, HEAVY, 1)
    ask(bench, HEAVY, older)

    run(bench, HEAVY, 1)

    assert kept(bench)[FREE] == -2
    assert sorted(state for state, _ in state_by_number(bench)) == ["replayed", "superseded"]


def test_what_a_state_port_has_refused_is_not_replayed_but_computed_anew(bench):
    sql = bench.root / "products" / "call_stats" / "phones.sql"
    text = sql.read_text()
    sql.write_text(text.replace("sum(duration_s)", "-sum(duration_s)"))
    feed(bench, 7)
    run(bench, STATS)

    refused = ask(bench, STATS)

    assert refused
    assert all("computed anew by itself" in each for each in refused.values())
    sql.write_text(text)
    run(bench, STATS)
    assert_true(bench, PHONES)
    assert len(compacted(bench, PHONES)) == 7
