"""Tests of how long a storage keeps rows of events."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mesh.contract.project import load_project
from mesh.errors import InvalidFile, StorageError
from mesh.product.plan import Plan, plan_product
from mesh.product.retention import Retention
from tests.arrivals import AT, arrival
from tests.kept import DAY, TOPIC, openings
from tests.repository import ROOT
from tests.stats import PHONES, PHONES_SQL, STATS, write_product


@pytest.fixture
def opened(tmp_path):
    """Open the call center with a port's `keep` and an output's retention; closed at the end."""
    with openings(tmp_path) as open_:
        yield open_


def test_input_rows_older_than_they_are_kept_go_and_what_was_made_of_them_stays(opened):
    product = opened("P7D")
    for day in range(10):
        product.take(2, AT + day * DAY)

    product.prune(AT + 9.5 * DAY)

    assert product.kept() == list(range(6, 20))
    assert product.kept("main.calls") == list(range(20))


def test_output_rows_go_by_the_retention_of_their_contract(opened):
    product = opened("all", retention=3 * DAY)
    for day in range(10):
        product.take(1, AT + day * DAY)

    product.prune(AT + 9.5 * DAY)

    assert product.kept() == list(range(10))
    assert product.kept("main.calls") == [7, 8, 9]


def test_what_is_kept_for_ever_stays(opened):
    product = opened("all", retention=None)
    product.take(3, AT)

    product.prune(AT + 10_000 * DAY)

    assert product.kept() == product.kept("main.calls") == [0, 1, 2]


def test_a_writer_whose_clock_is_ahead_makes_no_row_go_early(opened):
    product = opened("P7D")
    product.take(2, AT)
    ahead = arrival(product.plan, [1], offset=2, at=datetime(2099, 1, 1, tzinfo=UTC))
    product.engine.take_in([ahead], {TOPIC: {0: 3}})
    product.offsets[0] = 3
    product.take(2, AT)

    product.prune(AT + 6.9 * DAY)
    assert product.kept() == [0, 1, 2, 3, 4]

    product.prune(AT + 8 * DAY)
    assert product.kept() == []


def test_the_rows_of_a_stream_that_has_ended_grow_old_too(opened):
    product = opened("P7D")
    product.take(1, AT)
    product.take(3, AT + timedelta(seconds=1))

    product.prune(AT + 8 * DAY)

    assert product.kept() == []


def test_partitions_grow_old_each_by_its_own_messages(opened):
    product = opened("P7D")
    product.take(2, AT, partition=0)
    product.take(2, AT + 5 * DAY, partition=1)

    product.prune(AT + 8 * DAY)

    rows = product.storage.connection.execute(
        "select _partition, _offset from input.finished_calls"
    )
    assert sorted(rows.fetchall()) == [(1, 0), (1, 1)]


def test_a_restart_knows_how_old_rows_are(opened):
    product = opened("P7D")
    for day in range(10):
        product.take(1, AT + day * DAY)
        product.now = AT + day * DAY
        product.restart()

    product.prune(AT + 9.5 * DAY)

    assert product.kept() == list(range(3, 10))


@pytest.mark.slow
def test_the_clock_stays_small(opened):
    product = opened("PT1H", retention=None)
    for number in range(150):
        product.take(1, AT + number * timedelta(seconds=40))
        if number % 50 == 0:
            product.prune(product.now)

    (count,) = product.storage.connection.execute("select count(*) from mesh.clock").fetchone()
    assert 60 <= count <= 64 + 20


@pytest.mark.slow
def test_what_is_kept_does_not_depend_on_how_batches_are_cut_but_for_one_step(opened):
    dice = random.Random(4)  # noqa: S311 - a test that can be repeated
    times = sorted(AT + dice.random() * 12 * DAY for _ in range(100))
    found = []
    for most in (1, 13):
        product = opened("P7D")
        left = list(times)
        while left:
            piece, left = left[:most], left[most:]
            product.take(len(piece), piece[-1])
        product.prune(AT + 12 * DAY)
        found.append(set(product.kept()))
    limit = AT + 5 * DAY

    due = {number for number, at in enumerate(times) if at > limit}
    assert all(due <= each for each in found)
    steps = 7 * DAY / 64 + 13 * 2 * (12 * DAY / 100)
    early = {number for number, at in enumerate(times) if at > limit - steps}
    assert all(each <= early for each in found)


def test_a_lost_storage_that_is_rebuilt_keeps_the_same_rows(opened):
    products = [opened("P7D", retention=9 * DAY) for _ in range(2)]
    for day in range(12):
        products[0].take(3, AT + day * DAY)
        products[0].prune(AT + day * DAY)
    products[1].now = AT + 11 * DAY
    for day in range(12):
        products[1].take(3, AT + day * DAY)

    for each in products:
        each.prune(AT + 11.5 * DAY)

    for table in ("input.finished_calls", "main.calls"):
        assert products[0].kept(table) == products[1].kept(table) != []


def with_stats(tmp_path, keep: str) -> Plan:
    """A product whose state port reads an input that keeps so much."""
    root = tmp_path / f"project-{keep}"
    for folder in ("products", "company"):
        shutil.copytree(ROOT / folder, root / folder)
    write_product(
        root, PHONES, ["call-center.calls"], PHONES_SQL, "select phone_number from changed_calls"
    )
    path = root / "products" / "call_stats" / "product.yaml"
    port = "{name: calls, version: 1.0.0, contractId: call-center.calls"
    custom = f", customProperties: [{{property: keep, value: {keep}}}]"
    path.write_text(path.read_text().replace(port, port + custom))
    return plan_product(load_project(root), STATS)


@pytest.mark.parametrize("keep", ["P7D", "latest", "none"])
def test_an_input_that_a_state_port_is_made_of_must_keep_all(tmp_path, keep):
    with pytest.raises(
        InvalidFile, match=f"keep is {keep}, and the state port {PHONES} is made of"
    ):
        with_stats(tmp_path, keep)

    assert with_stats(tmp_path, "all").inputs[0].keep == "all"


def test_a_state_port_that_is_added_to_an_input_which_did_not_keep_all_is_refused(opened, tmp_path):
    product = opened("none")
    product.take(3, AT)
    product.prune(AT)
    state = with_stats(tmp_path, "all").states[0]
    query = replace(state.query, inputs=("finished_calls",))
    later = replace(product.plan, states=(replace(state, query=query),))

    with pytest.raises(StorageError, match="remove the product's storage, it is rebuilt"):
        Retention(later, product.storage)

    untouched = opened("none")
    untouched.take(3, AT)
    Retention(later, untouched.storage)


def test_what_a_failed_batch_has_noted_is_noted_again(opened, monkeypatch):
    product = opened("P7D")
    product.now = AT
    came = arrival(product.plan, [1], offset=0, at=AT)
    with monkeypatch.context() as patched:
        patched.setattr(product.storage, "save", full)
        with pytest.raises(StorageError):
            product.engine.take_in([came], {TOPIC: {0: 1}})
    product.engine.retention.forget_noted()
    assert product.engine.take_in([came], {TOPIC: {0: 1}})

    product.prune(AT + 30 * DAY)
    product.prune(AT + 60 * DAY)

    assert product.kept() == []


def full(*_):
    raise StorageError("the disk is full")
