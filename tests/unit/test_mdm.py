"""The golden record is an honest opponent: tuned, measured on the other half, able to look bad."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest

from mesh.contract.project import load_project
from mesh.migrate.mdm.attribution import Count, judged
from mesh.migrate.mdm.change import NAMED, places
from mesh.migrate.mdm.golden import DAY, NIGHTLY
from mesh.migrate.mdm.match import Pairs, scored
from mesh.migrate.mdm.merge import half_of, judge, merged
from mesh.migrate.mdm.source import find_cards
from mesh.migrate.mdm.twin import Twin, make, report_of
from mesh.wiring.own import own_routes
from tests.repository import ROOT

CARDS = find_cards()


@pytest.fixture(scope="module")
def twin() -> Twin:
    return make(CARDS, seed=7, days=12, say=lambda words: None)


@pytest.fixture(scope="module")
def pairs(twin) -> Pairs:
    return scored(twin.held.texts)


@pytest.fixture(scope="module")
def report(twin):
    project = load_project(ROOT)
    routes = own_routes(project.product("key-ring"))
    assert routes is not None
    return report_of(twin, project, routes, lambda words: None)


def other_half(twin: Twin) -> np.ndarray:
    return ~half_of(twin.held.names, twin.seed)[twin.held.person]


def test_pairs_are_merged_and_split_wrongly_by_what_each_half_says():
    labels = np.array([0, 0, 0, 3, 4])
    persons = np.array([7, 7, 8, 8, 8])

    whole = judge(labels, persons, np.ones(5, dtype=bool))
    assert (whole.linked, whole.true, whole.right) == (3, 4, 1)
    assert (whole.wrong_merges, whole.wrong_splits) == (2, 3)
    assert (whole.records, whole.mixed, whole.persons, whole.split) == (3, 1, 2, 1)
    half = judge(labels, persons, persons == 7)
    rest = judge(labels, persons, persons == 8)
    # A pair counts once: in the half of its first card.
    assert (half.linked, half.wrong_merges, rest.linked, rest.wrong_splits) == (3, 2, 0, 3)


def test_what_hangs_together_over_others_is_one_record():
    chain = Pairs(
        first=np.array([0, 1, 5]), second=np.array([1, 4, 6]), weight=np.array([9.0, 9.0, 3.0])
    )

    assert merged(7, chain).tolist() == [0, 0, 2, 3, 0, 5, 5]
    assert merged(7, chain.above(5)).tolist() == [0, 0, 2, 3, 0, 5, 6]


def test_the_tuned_threshold_beats_bad_ones_on_the_half_it_was_not_tuned_on(twin, pairs):
    counted, persons = other_half(twin), twin.held.person

    def f1(threshold: float) -> float:
        return judge(merged(len(persons), pairs.above(threshold)), persons, counted).f1

    assert twin.judged.f1 == f1(twin.tuned.threshold) > 0.95
    assert f1(twin.tuned.threshold - 15) < 0.85
    assert f1(twin.tuned.threshold + 15) < 0.85


def test_a_shuffled_truth_looks_bad(twin, pairs):
    shuffled = np.random.default_rng(1).permutation(twin.held.person)
    labels = merged(len(shuffled), pairs.above(twin.tuned.threshold))

    assert judge(labels, shuffled, other_half(twin)).f1 < 0.05


def test_the_matcher_is_told_no_truth_and_says_the_same_twice(twin, pairs):
    words = {
        each for name in twin.held.texts.column_names for each in twin.held.texts[name].to_pylist()
    }

    assert not words & set(twin.held.names)
    again = scored(twin.held.texts)
    assert np.array_equal(again.weight, pairs.weight)
    assert np.array_equal(again.first, pairs.first)


def test_cards_are_the_same_however_far_one_looks():
    near, far = (CARDS.held(3, CARDS.begin + days * DAY) for days in (1, 9))
    known = far.filter(pc.is_in(far["written_at"], near["written_at"]))

    key = [("card_id", "ascending"), ("revision", "ascending")]
    assert known.sort_by(key).equals(near.sort_by(key))
    assert far.num_rows > near.num_rows > 10_000


def test_a_night_knows_nothing_that_was_written_after_it(twin):
    early = twin.golden.before(CARDS.begin + DAY + NIGHTLY)
    late = twin.last
    known = set(early.cards)
    cut = CARDS.held(7, CARDS.begin + DAY + NIGHTLY)

    assert known < set(late.cards)
    assert known <= set(zip(cut["role"].to_pylist(), cut["about"].to_pylist(), strict=True))


def test_a_call_is_right_wrong_or_not_known_if_its_caller_counts():
    asked = (["a", "b", None, "a"], ["a", "a", "a", "b"], lambda person: person == "a")

    assert judged(*asked) == Count(right=1, wrong=1, none=1)
    assert judged(*asked, whose=["b", "a", "b", "b"]) == Count(wrong=1)


def test_each_side_has_its_misses_and_one_answer_fits_one_question_only(report):
    calls = report["calls"]

    assert report["rule"] == ["user", "holder"]
    for sides in calls.values():
        for count in sides.values():
            assert sum(count.values()) == sum(calls["user"]["twin"].values()) > 1000
        assert sides["ring"]["none"] > 0
        assert sides["ring"]["wrong"] == 0
    right = {role: sides["twin"]["right"] for role, sides in calls.items()}
    asked = sum(calls["user"]["twin"].values())
    assert (
        right["user"]
        > 0.95 * asked
        > 0.75 * asked
        > max(right[role] for role in ("holder", "payer", "administrator"))
    )
    # What is wrong then is not the matching.
    assert calls["payer"]["perfect"]["right"] < 0.75 * asked


def test_the_golden_record_is_behind_until_the_night_and_has_no_yesterday(report):
    late, user = report["late"], report["calls"]["user"]
    hour, day = (late["after_hours"].index(each) for each in (1, 24))

    assert late["twin"]["right"][hour] < late["ring"]["right"][hour] / 2
    assert late["twin"]["right"][day] > 3 * late["twin"]["right"][hour]
    assert user["twin_later"]["right"] < user["twin"]["right"]
    assert user["ring_later"]["right"] > user["ring"]["right"]


def test_the_key_ring_learns_late_what_it_missed_and_both_are_asked_of_numbers_at_rest(report):
    for sides in report["calls"].values():
        assert sides["ring_later"]["none"] < sides["ring"]["none"]
    idle = report["idle"]

    assert idle["asked"] > 20
    assert 0 <= idle["ring"] < idle["asked"] / 5
    assert 0 <= idle["twin"] < idle["asked"] / 5
    assert {"holder", "user", "payer", "administrator", "household"} <= set(report["roles"])


def test_a_new_identifier_needs_a_statement_on_one_side_and_lines_on_the_other(report):
    change = report["change"]

    assert (change["ring"], change["twin_known"]) == ({"files": 0, "lines": 0}, 0)
    assert change["twin"]["lines"] > 0
    assert 0.9 * change["sims"] < change["ring_known"] <= change["sims"]


def test_a_line_that_names_an_identifier_counts_if_a_machine_reads_it(tmp_path):
    path = tmp_path / "one.py"
    path.write_text(
        '"""Of phone_number."""\n# phone_number\nx = "phone_number"\n\ndef f():\n'
        '    """A phone_number."""\n    return phonenumber\n'
    )
    query = tmp_path / "two.sql"
    query.write_text("-- phone_number\nselect phone_number -- phone_number\n")

    assert (places([path]).lines, places([query]).lines) == (2, 1)
    assert places([path, query]).files == 2
    assert NAMED.search("phone-number-contract")
