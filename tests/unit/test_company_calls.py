"""Calls: each the same whatever is asked for, and by the number that the caller had just then."""

from __future__ import annotations

import uuid
from collections import defaultdict
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from company import crm, plugin
from company.calls import CALLS_PER_DAY, MOST_CALLS, QUEUES, calls
from company.clock import BEGIN, DAY
from company.telephony import FINISHED_CALL, Telephony
from company.world import build
from mesh.contract.odcs import load_contract
from mesh.contract.types import arrow_schema
from mesh.errors import SettingsError, WrongUse
from mesh.product import systems

ROOT = Path(__file__).parents[2]


def told(count: int, start: int = 0, *, seed: int = 1, batch_rows: int = 20_000) -> pa.Table:
    """What telephony tells of some calls, as one table."""
    batches = Telephony().batches(seed, count, start, batch_rows)
    return pa.concat_tables(each["finished-calls"] for each in batches).combine_chunks()


def truth(count: int, start: int = 0):
    return calls(build(1), np.arange(start, start + count, dtype=np.int64))


def test_a_call_stays_what_it_was():
    rows = told(1, 0).to_pylist() + told(1, 123_456).to_pylist()

    assert [tuple(map(str, row.values())) for row in rows] == [
        (
            "63a30269-0e56-8927-ab1e-8febb35d972e",
            "+14805550182",
            "sales",
            "A-0048",
            "offer",
            "Nordahaven",
            "2026-01-01 00:05:41.836334+00:00",
            "2026-01-01 00:10:33.836334+00:00",
        ),
        (
            "903d32d0-03f9-8e88-805f-f775a7118e82",
            "+15675550105",
            "billing",
            "A-0020",
            "amount unclear",
            "Estramouth",
            "2026-05-04 13:13:00.606339+00:00",
            "2026-05-04 13:14:36.606339+00:00",
        ),
    ]


def test_a_call_is_the_same_however_many_are_asked_for():
    few, many = told(1_000), told(5_000)

    assert many.slice(0, 1_000).equals(few)


@pytest.mark.parametrize(("start", "batch_rows"), [(0, 7), (999, 1_000), (54_321, 20_000)])
def test_a_feed_may_go_on_at_any_call_in_batches_of_any_size(start, batch_rows):
    whole = told(start + 100).slice(start)

    assert told(100, start, batch_rows=batch_rows).equals(whole.combine_chunks())


def test_another_seed_makes_other_calls():
    one, other = told(1_000), told(1_000, seed=2)

    assert not set(one["call_id"].to_pylist()) & set(other["call_id"].to_pylist())


def test_telephony_tells_what_its_staging_contract_says():
    contract = load_contract(ROOT / "products/call_center/contracts/finished_calls.odcs.yaml")

    assert FINISHED_CALL.equals(arrow_schema(contract))
    assert told(10).schema.equals(FINISHED_CALL)


def test_call_ids_are_uuids_of_version_8_and_none_comes_twice():
    ids = told(20_000)["call_id"].to_pylist()

    assert len(set(ids)) == 20_000
    assert {uuid.UUID(one).version for one in ids} == {8}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    assert all(str(uuid.UUID(one)) == one for one in ids[:100])


def test_calls_begin_in_the_order_of_their_numbers_a_thousand_a_day():
    started = truth(20_000).started

    assert (np.diff(started) >= 0).all()
    assert ((started - BEGIN) // DAY == np.arange(20_000) // CALLS_PER_DAY).all()
    assert CALLS_PER_DAY == 1_000


def test_more_calls_come_by_day_than_by_night():
    hours = (truth(20_000).started - BEGIN) // (DAY // 24) % 24

    assert ((hours >= 8) & (hours < 20)).mean() > 0.75


def test_calls_last_as_long_as_their_queue_makes_them():
    made = truth(50_000)
    seconds = (made.ended - made.started) / 1_000_000
    medians = [
        np.median(seconds[(made.queue == queue) & ~made.is_abandoned])
        for queue in range(len(QUEUES))
    ]

    assert seconds.min() >= 1
    assert medians == pytest.approx([240, 420, 540, 300, 360, 150], rel=0.05)
    assert seconds.max() > 3_600


def test_an_abandoned_call_has_no_agent_and_no_reason():
    made, table = truth(5_000), told(5_000)
    agents = np.array(table["agent_id"].is_null())

    assert (agents == made.is_abandoned).all()
    assert 0.04 < agents.mean() < 0.08
    assert np.array(table["reason"].is_null())[made.is_abandoned].all()


@pytest.mark.parametrize("start", [0, 300_000, MOST_CALLS - 3_000])
def test_every_caller_has_the_number_at_that_moment(start):
    """Found out from the CRM's own table, by a plain search."""
    world, count = build(1), 3_000
    holders = defaultdict(list)
    for row in crm.numbers(world).to_pylist():
        holders[row["phone_number"]].append(row)
    true_contract = world.tenures.contract[truth(count, start).tenure].tolist()

    for call, contract in zip(told(count, start).to_pylist(), true_contract, strict=True):
        (holder,) = [
            row
            for row in holders[call["phone_number"]]
            if row["valid_from"] <= call["started_at"]
            and (row["valid_to"] is None or call["started_at"] < row["valid_to"])
        ]
        assert holder["contract_number"] == f"C-{contract:08}" + holder["contract_number"][-1]


def test_numbers_change_hands_among_the_calls_of_a_small_feed():
    """Within 20,000 calls, some numbers are called from under one contract, then another."""
    made, world = truth(20_000), build(1)
    contracts = defaultdict(set)
    for tenure in made.tenure.tolist():
        contracts[world.tenures.number[tenure]].add(world.tenures.contract[tenure])

    assert sum(len(one) > 1 for one in contracts.values()) > 20


def test_more_calls_than_the_world_has_are_refused():
    with pytest.raises(WrongUse, match="calls 0 to 9,999,999"):
        next(Telephony().batches(1, 2, MOST_CALLS - 1))


def test_ten_million_calls_are_never_in_memory_at_once():
    batches = Telephony().batches(1, MOST_CALLS)
    first = next(batches)["finished-calls"]

    assert first.num_rows == 20_000
    assert first.nbytes < 10_000_000


def installed(folder: Path, name: str, target: str) -> None:
    """Write what pip leaves of a package with an entry point."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{systems.GROUP}]\n{name} = {target}\n")


@pytest.fixture
def nothing_installed(monkeypatch):
    """A machine on which only what a test installs is found."""
    found = systems.entry_points

    def others(group: str) -> list[EntryPoint]:
        return [entry for entry in found(group=group) if entry.name.startswith("test_")]

    monkeypatch.setattr(systems, "entry_points", others)


def test_a_company_is_found_by_its_entry_point(tmp_path, monkeypatch, nothing_installed):
    installed(tmp_path, "test_one", "company:plugin")
    monkeypatch.syspath_prepend(tmp_path)

    found = systems.find_systems()
    assert dict(found) == dict(plugin.systems)
    assert {product: system.principal for product, system in found.items()} == {
        "billing": "invoicing",
        "call-center": "telephony",
        "contracts": "crm",
        "device-plans": "leasing",
        "network-usage": "packet-gateway",
    }


def test_without_a_company_the_message_says_what_to_do(nothing_installed):
    with pytest.raises(SettingsError, match=r"no company is installed: run `pip install"):
        systems.find_systems()


def test_a_company_that_cannot_be_loaded_is_named(tmp_path, monkeypatch, nothing_installed):
    installed(tmp_path, "test_broken", "company:nothing")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(SettingsError, match="company:nothing cannot be loaded"):
        systems.find_systems()


def test_two_companies_may_not_feed_the_same_product(tmp_path, monkeypatch, nothing_installed):
    installed(tmp_path, "test_one", "company:plugin")
    installed(tmp_path, "test_two", "company:plugin")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(SettingsError, match="two companies feed billing"):
        systems.find_systems()
