"""Device plans: the truth that a risk model looks for, and the bias that it must not find."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company.clock import BEGIN, DAY
from company.plans import AGE_BANDS, STRICT, age_bands, instalments
from company.plans_system import Plans
from company.world import build
from mesh.contract.odcs import load_contract
from mesh.contract.types import arrow_schema
from mesh.errors import WrongUse
from tests.repository import ROOT

COUNT = 20_000


def told(count: int, start: int = 0, batch_rows: int = 20_000) -> dict[str, pa.Table]:
    """What leasing tells, one table a port."""
    batches = list(Plans().batches(1, count, start, batch_rows))
    ports = dict.fromkeys(port for batch in batches for port in batch)
    return {
        port: pa.concat_tables(each[port] for each in batches if port in each).combine_chunks()
        for port in ports
    }


def test_leasing_tells_what_its_staging_contracts_say():
    tables = told(COUNT)

    assert len(tables) == 3
    for port, table in tables.items():
        name = port.replace("-", "_")
        contract = load_contract(ROOT / f"products/device_plans/contracts/{name}.odcs.yaml")
        assert table.schema.equals(arrow_schema(contract))
        assert len(pc.unique(table.column(0))) == table.num_rows


@pytest.mark.parametrize(("start", "batch_rows"), [(0, 7), (3_000, 500), (12_345, 20_000)])
def test_a_record_is_the_same_wherever_a_feed_begins(start, batch_rows):
    whole, before = told(start + 2_000), told(start)
    for port, table in told(2_000, start, batch_rows).items():
        skipped = before[port].num_rows if port in before else 0
        assert table.equals(whole[port].slice(skipped).combine_chunks())


def test_more_records_than_there_are_are_refused():
    with pytest.raises(WrongUse, match=r"writes records 0 to [\d,]+: ask for fewer"):
        next(iter(Plans().batches(1, 2, 100_000_000)))


def test_how_many_records_are_written_until_an_instant_is_known():
    until = BEGIN + 150 * DAY
    tables = told(Plans().count_until(1, until) + 1)

    times = {"settled-instalments": "decided_at", "agency-handovers": "handed_over_at"}
    late = [
        pc.sum(pc.greater_equal(tables[port][name].cast(pa.int64()), until)).as_py()
        for port, name in times.items()
    ]
    assert sum(late) == 1


def test_whoever_paid_bills_late_pays_instalments_less_often_and_age_is_no_matter():
    found = instalments(build(1), 6)
    young = age_bands(build(1), found.payer) == AGE_BANDS.index("under-30")

    assert len(found.id) > 2_500
    assert abs(found.is_unpaid[young].mean() - found.is_unpaid[~young].mean()) < 0.04


def test_the_old_practice_called_in_where_the_young_live():
    found = instalments(build(1), 6)
    young = age_bands(build(1), found.payer) == AGE_BANDS.index("under-30")
    strict = found.district == STRICT

    assert strict[young].mean() > 0.8 > 0.1 > strict[~young].mean()
    assert found.is_called_in[young].mean() > 2 * found.is_called_in[~young].mean()
    assert (found.is_called_in[~strict] == found.is_unpaid[~strict]).all()
    assert found.is_called_in[found.is_unpaid].all()


def test_a_value_stays_what_it_was():
    found = instalments(build(7), 1)

    assert found.id[:3].tolist() == [1, 24577, 48129]
    assert np.flatnonzero(found.is_unpaid)[:3].tolist() == [94, 182, 206]
