"""Every attribute has its own stream: value = f(seed, kind, attribute, id)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from company.draws import Stream, quantiles

IDS = np.arange(10_000, dtype=np.int64)


def stream(seed: int = 1, kind: str = "call", attribute: str = "queue") -> Stream:
    return Stream(seed=seed, kind=kind, attribute=attribute)


def test_the_mixer_gives_the_published_numbers_of_splitmix64():
    """The first outputs from state 1234567, as the reference implementation prints them."""
    reference = stream()
    reference._key = np.uint64(1234567)

    assert reference.words(IDS[:3]).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_a_value_stays_what_it_was():
    assert stream().below(IDS[:8], 1000).tolist() == [777, 467, 24, 149, 979, 123, 645, 137]
    assert stream(seed=2).below(IDS[:8], 1000).tolist() == [368, 483, 496, 636, 72, 534, 994, 201]


def test_a_value_stays_what_it_was_in_a_process_of_another_hash_seed():
    code = (
        "import numpy as np; from company.draws import Stream;"
        "print(Stream(seed=1, kind='call', attribute='queue').words(np.arange(1)).tolist())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip

    assert seen == {f"{stream().words(IDS[:1]).tolist()}\n"}


@given(st.integers(0, 10**9), st.integers(1, 50))
def test_a_value_is_the_same_alone_and_among_others(first, count):
    ids = np.arange(first, first + count, dtype=np.int64)

    together = stream().words(ids).tolist()
    assert together == [int(stream().words(ids[at : at + 1])[0]) for at in range(count)]


@given(st.text(max_size=20), st.integers(1, 64))
def test_an_attribute_more_changes_no_number_already_shown(attribute, count):
    before = stream().words(IDS).tolist()
    added = stream(attribute=f"later_{attribute}").words(IDS[:count]).tolist()

    assert stream().words(IDS).tolist() == before
    assert not set(added) & set(before)


@pytest.mark.parametrize("other", [{"seed": 2}, {"kind": "person"}, {"attribute": "site"}])
def test_streams_have_nothing_in_common(other):
    same = stream().below(IDS, 100) == stream(**other).below(IDS, 100)

    assert 50 < same.sum() < 150


def test_draws_are_spread_evenly():
    counts = np.bincount(stream().below(IDS, 10), minlength=10)

    assert counts.min() > 900
    assert counts.max() < 1100


def test_a_choice_follows_its_weights():
    counts = np.bincount(stream().choice(IDS, (1, 0, 3)), minlength=3)

    assert counts[1] == 0
    assert 2.8 < counts[2] / counts[0] < 3.2


def test_a_chance_is_per_mille():
    assert 80 < stream().chance(IDS, 10).sum() < 120


def test_picks_follow_the_distribution_that_was_tabulated():
    picked = stream().pick(IDS, quantiles(lambda share: 1_000_000 * share))

    assert picked.min() >= 0
    assert picked.max() <= 1_000_000
    assert abs(np.median(picked) - 500_000) < 15_000
    assert len(np.unique(picked)) > 9_900
