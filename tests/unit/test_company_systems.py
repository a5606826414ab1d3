"""What the CRM and billing write down: the same for a seed, in order, and true at the end."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company import billing
from company.billing_system import Billing
from company.changes import OPENED, SETTLED_AFTER, Troubles, write_down
from company.clock import BEGIN, DAY, FOREVER
from company.crm_facts import NUMBER, facts_of
from company.crm_system import Crm, records
from company.journal import keep_journal
from company.truth import of_numbers, pairs
from company.world import build
from mesh.contract.odcs import load_contract
from mesh.contract.types import arrow_schema
from mesh.errors import WrongUse
from mesh.product.systems import find_systems

ROOT = Path(__file__).parents[2]
NO_TROUBLES = Troubles(late=0, corrected=0, mistaken=0)
SYSTEMS = ["contracts", "billing"]


def told(product: str, count: int, start: int = 0, *, seed: int = 1, batch_rows: int = 20_000):
    """What a system tells, one table a port."""
    batches = list(find_systems()[product].batches(seed, count, start, batch_rows))
    ports = dict.fromkeys(port for batch in batches for port in batch)
    return {
        port: pa.concat_tables(each[port] for each in batches if port in each).combine_chunks()
        for port in ports
    }


@pytest.fixture(scope="module")
def number_changes() -> pa.Table:
    """All that the CRM ever writes about phone numbers."""
    world = build(1)
    journal = keep_journal(1, {NUMBER: facts_of(world)[NUMBER]}, Troubles())
    return records(world, journal, 0, len(journal))["number-changes"]


@pytest.mark.parametrize("product", SYSTEMS)
def test_a_system_tells_what_its_staging_contracts_say(product):
    tables = told(product, 20_000)
    folder = ROOT / "products" / product / "contracts"

    assert len(tables) == 4
    for port, table in tables.items():
        contract = load_contract(folder / f"{port.replace('-', '_')}.odcs.yaml")
        assert table.schema.equals(arrow_schema(contract))


@pytest.mark.parametrize("product", SYSTEMS)
@pytest.mark.parametrize(("start", "batch_rows"), [(0, 7), (999, 1_000), (12_345, 20_000)])
def test_a_record_is_the_same_wherever_a_feed_begins_and_in_batches_of_any_size(
    product, start, batch_rows
):
    whole, before = told(product, start + 100), told(product, start)
    for port, table in told(product, 100, start, batch_rows=batch_rows).items():
        skipped = before[port].num_rows if port in before else 0
        assert table.equals(whole[port].slice(skipped).combine_chunks())


@pytest.mark.parametrize("product", SYSTEMS)
def test_another_seed_tells_of_another_world(product):
    one, other = told(product, 2_000), told(product, 2_000, seed=2)

    assert all(not table.equals(other[port]) for port, table in one.items())


@pytest.mark.parametrize("product", SYSTEMS)
def test_records_come_in_the_order_in_which_they_are_written_and_each_once(product):
    for table in told(product, 30_000).values():
        when = next(n for n in ("written_at", "issued_at", "paid_at") if n in table.column_names)
        key = table.column_names[0]
        assert (np.diff(table[when].cast(pa.int64()).to_numpy()) >= 0).all()
        assert len(pc.unique(table[key])) == table.num_rows


@pytest.mark.parametrize("product", SYSTEMS)
def test_more_records_than_there_are_are_refused(product):
    system = find_systems()[product]

    with pytest.raises(WrongUse, match=r"writes records 0 to [\d,]+: ask for fewer"):
        next(iter(system.batches(1, 2, 100_000_000)))


def test_how_many_records_are_written_until_an_instant_is_known():
    until = BEGIN + 20 * DAY
    crm, money = Crm(), Billing()

    for product, system in (("contracts", crm), ("billing", money)):
        count = system.count_until(1, until)
        tables = told(product, count + 1)
        written = [
            value
            for table in tables.values()
            for name in ("written_at", "issued_at", "paid_at")
            if name in table.column_names
            for value in table[name].cast(pa.int64()).to_pylist()
        ]
        assert sum(value < until for value in written) == count


def test_some_records_are_late_some_corrected_and_some_retracted(number_changes):
    late = pc.subtract(number_changes["written_at"], number_changes["valid_from"])
    late = late.cast(pa.int64()).to_numpy()[pc.equal(number_changes["revision"], 1).to_numpy()]
    retracted = pc.sum(number_changes["retracted"]).as_py()
    links = len(pc.unique(number_changes["link_id"]))

    assert 0.02 < (late > DAY).mean() < 0.06
    assert 0.007 < retracted / links < 0.013
    assert pc.max(number_changes["revision"]).as_py() == 4


def test_without_troubles_a_fact_is_written_twice_within_the_hour_and_never_corrected():
    facts = facts_of(build(1))[NUMBER]
    changes = write_down(1, facts, NO_TROUBLES)
    happened = np.where(changes.step == OPENED, facts.start[changes.fact], facts.end[changes.fact])

    assert len(changes.fact) == len(facts.index) + (facts.end < FOREVER).sum()
    assert ((changes.written > happened) & (changes.written <= happened + DAY // 24)).all()


def test_a_correction_is_the_same_link_with_the_next_revision(number_changes):
    wrong = duckdb.sql(
        "select link_id from number_changes qualify revision"
        " <> row_number() over (partition by link_id order by written_at)"
    )

    assert not wrong.fetchall()


def test_some_starts_are_told_before_the_end_of_whoever_had_the_number_before(number_changes):
    """Then two contracts seem to have a number, until the end of the first is told."""
    found = duckdb.sql(
        "select count(*) from number_changes a join number_changes b using (phone_number)"
        " where a.revision > 1 and a.valid_to = b.valid_from and b.revision = 1"
        " and a.link_id <> b.link_id and a.written_at > b.written_at"
    ).fetchall()

    assert found[0][0] > 500


def resolved(number_changes: pa.Table, asked: pa.Table) -> list[str | None]:
    """The contract of each number at each instant, by the newest statement of each link."""
    numbered = asked.append_column("n", pa.array(range(asked.num_rows)))  # noqa: F841 - in SQL
    return [
        contract
        for _, contract in duckdb.sql(
            "with newest as ("
            " select link_id, unnest(arg_max(struct_pack(phone_number, contract_number,"
            " valid_from, valid_to, retracted), revision))"
            " from number_changes group by link_id)"
            " select n, string_agg(l.contract_number, '|' order by l.contract_number)"
            " from numbered q left join (from newest where not retracted) l"
            # An OR here would make it a nested loop.
            " on l.phone_number = q.phone_number and l.valid_from <= q.at"
            " and q.at < coalesce(l.valid_to, timestamptz 'infinity') group by n order by n"
        ).fetchall()
    ]


def test_read_to_their_end_the_records_tell_the_truth_and_nothing_else(number_changes):
    world = build(1)
    asked = pairs(world, np.arange(50_000))
    answers = of_numbers(world, asked["phone_number"], asked["at"])

    assert resolved(number_changes, asked) == answers["contract_number"].to_pylist()


def test_before_they_are_settled_the_records_may_mislead_and_after_that_never(number_changes):
    world, until = build(1), BEGIN + 3_000 * DAY
    written = number_changes["written_at"].cast(pa.int64()).to_numpy()
    known = number_changes.slice(0, int(np.searchsorted(written, until)))
    asked = pairs(world, np.arange(100_000))
    at = asked["at"].cast(pa.int64()).to_numpy()

    def wrong(since: int, before: int) -> int:
        some = asked.filter(pa.array((at >= since) & (at < before)))
        truth = of_numbers(world, some["phone_number"], some["at"])["contract_number"]
        return sum(a != b for a, b in zip(resolved(known, some), truth.to_pylist(), strict=True))

    assert wrong(until - 1_000 * DAY, until - SETTLED_AFTER) == 0
    assert wrong(until - SETTLED_AFTER, until) > 0


def test_what_was_invoiced_and_paid_is_what_billing_has_in_its_tables():
    tables = told("billing", 40_000)
    for port, mark in (("sent-invoices", "I"), ("received-payments", "Y")):
        make = billing.invoices if mark == "I" else billing.payments
        whole = {
            f"{mark}-{row['invoice_id']:09}": row["amount_cents"]
            for month in (1, 2, 3)
            for row in make(build(1), month).to_pylist()
        }
        rows = tables[port].to_pylist()
        assert len(rows) > 10_000
        assert all(row["amount"] * 100 == whole[next(iter(row.values()))] for row in rows)
        assert {row["currency"] for row in rows} == {"USD"}
