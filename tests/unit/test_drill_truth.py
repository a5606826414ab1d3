"""The oracle of the drill `kills`: each kind of fault is found, and counted once."""

from __future__ import annotations

import random
from dataclasses import replace

from mesh.drills.steps import plan_steps
from mesh.drills.truth import Entry, Posting, Total, Verdict, judge
from mesh.product.failpoints import POINTS

CHANCE = random.Random(1)  # noqa: S311 - a drill that can be repeated
ACCOUNTS = ("a", "b")


def entry(number: int) -> Entry:
    """Entry *number*, in one of two partitions."""
    return Entry(
        number=number,
        account=ACCOUNTS[number % 2],
        amount=10 + number,
        partition=number % 2,
        offset=number * 3,
    )


def posting(number: int) -> Posting:
    """What entry *number* is to become."""
    found = entry(number)
    return Posting(
        partition=found.partition,
        number=number,
        account=found.account,
        amount=found.amount,
        twice=2 * found.amount,
    )


ENTRIES = {number: entry(number) for number in range(6)}
POSTINGS = [posting(number) for number in range(6)]
TOTALS = [
    Total(account="a", entries=1, amount=10),
    Total(account="b", entries=3, amount=39),
    Total(account="a", entries=3, amount=36),
]


def faults(postings=POSTINGS, totals=TOTALS) -> tuple[int, int, int, int]:
    """Lost, doubled, out of order, wrong."""
    found = judge(ENTRIES, postings, totals)
    return found.lost, found.doubled, found.out_of_order, found.wrong


def test_what_is_there_once_and_in_order_is_good():
    assert judge(ENTRIES, POSTINGS, TOTALS).is_good
    assert not Verdict(lost=0, doubled=1, out_of_order=0, wrong=0).is_good


def test_partitions_may_be_seen_in_any_order_among_themselves():
    assert faults([*POSTINGS[1::2], *POSTINGS[::2]]) == (0, 0, 0, 0)


def test_a_posting_that_is_missing_is_lost():
    assert faults(POSTINGS[:-1]) == (1, 0, 0, 0)


def test_a_posting_that_is_seen_twice_is_doubled_and_not_out_of_order():
    assert faults([*POSTINGS, POSTINGS[0]]) == (0, 1, 0, 0)


def test_a_posting_that_comes_after_a_later_one_is_out_of_order():
    assert faults([POSTINGS[2], POSTINGS[0], *POSTINGS[3:], POSTINGS[1]]) == (0, 0, 2, 0)


def test_a_posting_with_another_content_is_wrong_and_its_entry_lost():
    assert faults([replace(POSTINGS[0], twice=1), *POSTINGS[1:]]) == (1, 0, 0, 1)


def test_a_posting_of_nothing_is_wrong():
    assert faults([*POSTINGS, posting(9)]) == (0, 0, 0, 1)


def test_a_posting_in_another_partition_is_out_of_order():
    assert faults([*POSTINGS[:5], replace(POSTINGS[5], partition=0)]) == (0, 0, 1, 0)


def test_a_total_that_is_said_twice_is_doubled():
    assert faults(totals=[*TOTALS, TOTALS[2]]) == (0, 1, 0, 0)


def test_a_total_that_goes_back_is_out_of_order_and_wrong_if_it_stays():
    assert faults(totals=[*TOTALS[::-1], TOTALS[2]]) == (0, 0, 1, 0)
    assert faults(totals=[*TOTALS, TOTALS[0]]) == (0, 0, 1, 1)


def test_a_last_total_that_is_not_the_sum_is_wrong():
    assert faults(totals=[*TOTALS[:2], replace(TOTALS[2], amount=35)]) == (0, 0, 0, 1)
    assert faults(totals=TOTALS[:2]) == (0, 0, 0, 1)
    assert faults(totals=[*TOTALS, Total(account="c", entries=1, amount=1)]) == (0, 0, 0, 1)


def test_every_point_and_every_kind_of_trouble_is_in_the_smallest_drill():
    titles = {step.title for step in plan_steps(1, CHANCE)}

    assert {f"killed at {each}" for each in POINTS} < titles
    assert {"the product is killed", "Kafka is killed", "Kafka is slow"} < titles
    assert any(each.startswith("Kafka is frozen") for each in titles)


def test_a_full_drill_has_thirty_kills_and_at_least_five_of_kafka():
    titles = [step.title for step in plan_steps(30, CHANCE)]

    assert titles.count("the product is killed") == 30
    assert titles.count("Kafka is killed") >= 5
    assert titles.count("killed at before-commit") >= 3
