"""A batch port by day: what lands is published whole or not at all, and follows from it alone."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from company.network import SESSION, truth
from mesh.errors import AlreadyRunning, StorageError
from mesh.home import locked
from mesh.product.days import READERS_S
from mesh.product.published import read_published
from tests.days import PER_DAY, SEED, Port, day


@pytest.fixture
def port(tmp_path) -> Port:
    return Port(tmp_path)


def quarantined(port: Port, of: date) -> Counter[str]:
    """How many rows of a day were set aside, by rule and field."""
    found = read_published(port.folder).days[of]
    table = pq.read_table(port.folder / found.file.with_suffix(".quarantine.parquet"))
    return Counter(f"{each['rule']}/{each['field']}" for each in table.to_pylist())


def test_a_day_has_the_rows_that_keep_the_contract_and_the_rest_is_set_aside_by_rule(port):
    port.land(2 * PER_DAY)

    port.run()

    rows, wrong = truth(SEED, 0, PER_DAY)
    assert port.counts()[day(0)] == rows
    assert quarantined(port, day(0)) == wrong
    assert set(wrong) == {
        "day/day", "key/session_id",
        "down_bytes.minimum/down_bytes", "phone_number.pattern/phone_number",
    }  # fmt: skip
    ids = port.rows(day(0))["session_id"]
    assert len(pc.unique(ids)) == len(ids)
    assert port.landed() == []


def test_what_is_set_aside_names_its_delivery_its_row_and_itself(port):
    port.land(PER_DAY)
    landed = pq.read_table(port.folder / "landing" / "2026-01-01.gateway.parquet")

    port.run()

    file = read_published(port.folder).days[day(0)].file.with_suffix(".quarantine.parquet")
    for each in pq.read_table(port.folder / file).to_pylist():
        session = landed["session_id"][each["row"]].as_py()
        assert (each["delivery"], f'"session_id":{session},' in each["raw"]) == ("gateway", True)


def test_a_delivery_that_is_repeated_changes_nothing(port):
    port.land(2 * PER_DAY)
    port.run()
    before = read_published(port.folder)
    port.land(2 * PER_DAY)

    found = port.run()

    assert (found["published"], found["taken"]) == ([], [])
    assert len(found["repeated"]) == 4
    assert read_published(port.folder) == before
    assert port.landed() == []


def test_a_late_delivery_publishes_its_day_anew_and_no_other(port):
    port.land(PER_DAY)
    port.run()
    before = port.counts()[day(0)]
    port.land(2 * PER_DAY)

    found = port.run()

    assert [each["day"] for each in found["published"]] == ["2026-01-01", "2026-01-02"]
    assert port.counts()[day(0)] == truth(SEED, 0, PER_DAY)[0] > before
    assert sorted(port.said) == [(day(0), 1), (day(0), 2), (day(1), 3)]
    assert port.said[day(0), 2]["deliveries"] == ["gateway", "late"]


def test_a_corrected_delivery_replaces_the_one_of_its_name(port):
    port.land(PER_DAY // 2)
    port.run()
    port.land(PER_DAY)

    port.run()

    ids = port.rows(day(0))["session_id"]
    assert len(ids) == len(pc.unique(ids)) > PER_DAY // 2
    assert port.said[day(0), 2]["deliveries"] == ["gateway"]


def test_a_day_is_the_same_however_its_deliveries_came(port, tmp_path):
    other = Port(tmp_path / "other")
    for count in (PER_DAY, 2 * PER_DAY, 3 * PER_DAY):
        port.land(count)
        port.run()
    other.land(3 * PER_DAY)
    other.run()

    digests = [
        {of: each.digest for of, each in read_published(one.folder).days.items()}
        for one in (port, other)
    ]

    assert len(digests[0]) == 3
    assert digests[0] == digests[1]


def test_a_file_that_is_not_whole_waits_and_stops_no_other(port):
    port.land(PER_DAY)
    landing = port.folder / "landing"
    whole = (landing / "2026-01-01.gateway.parquet").read_bytes()
    (landing / "2026-01-02.gateway.part").write_bytes(whole[:1000])
    (landing / "2026-01-03.gateway.parquet").write_bytes(whole[:-10])
    (landing / "usage.csv").write_text("a,b\n")

    found = port.run()

    assert list(port.counts()) == [day(0)]
    assert "not whole" in found["left"]["2026-01-03.gateway.parquet"]
    assert "DAY.DELIVERY" in found["left"]["usage.csv"]
    assert len(port.landed()) == 3


def test_a_file_with_other_columns_is_left_with_the_reason(port):
    table = pa.table({"session_id": pa.array([1], pa.int64())})
    port.drop("2026-01-01.gateway", table)

    found = port.run()

    assert "has no column" in found["left"]["2026-01-01.gateway.parquet"]
    assert port.counts() == {}


def test_a_value_of_another_type_is_set_aside(port):
    port.land(PER_DAY)
    path = port.folder / "landing" / "2026-01-01.gateway.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("duration_s")
    text = pc.cast(table["duration_s"], pa.string()).to_pylist()
    port.drop("2026-01-01.gateway", table.set_column(place, "duration_s", [["an hour", *text[1:]]]))

    port.run()

    assert quarantined(port, day(0))["type/duration_s"] == 1


def test_a_run_knows_no_day_after_its_own(port):
    port.land(3 * PER_DAY)

    port.run(day(1))

    assert list(port.counts()) == [day(0), day(1)]
    assert port.landed() == ["2026-01-03.gateway.parquet"]


def test_what_the_contract_keeps_no_longer_goes(port):
    port.land(2 * PER_DAY)
    port.run()

    found = port.run(date(2026, 4, 1))

    # 90 days up to the first of April begin on the second of January.
    assert found["dropped"] == ["2026-01-01"]
    assert list(port.counts()) == [day(1)]
    assert not [*(port.folder / "day=2026-01-01" / "deliveries").glob("*")]


def test_a_reader_in_flight_finishes_with_the_day_that_it_was_told_of(port):
    port.land(PER_DAY)
    port.run()
    old = port.folder / read_published(port.folder).days[day(0)].file
    port.land(2 * PER_DAY)
    port.run()
    assert pq.read_table(old).num_rows > 0
    long_ago = time.time() - READERS_S - 1
    os.utime(old, (long_ago, long_ago))

    port.run()

    assert not old.exists()


def test_one_run_at_a_time(port):
    with locked(port.folder / "lock", "a run"), pytest.raises(AlreadyRunning, match="already runs"):
        port.run()


def test_a_damaged_list_is_told_and_not_taken_for_none(port):
    port.land(PER_DAY)
    port.run()
    (port.folder / "published.json").write_text('{"days": [')

    with pytest.raises(StorageError, match="cannot be read"):
        port.run()


def test_a_day_of_wrong_rows_alone_is_published_empty(port):
    port.land(PER_DAY)
    path = port.folder / "landing" / "2026-01-01.gateway.parquet"
    path.rename(path.with_name("2026-01-05.gateway.parquet"))
    (path.parent / "2026-01-01.resent.parquet").unlink()

    found = port.run()

    assert port.counts() == {date(2026, 1, 5): 0}
    assert found["published"][0]["quarantined"]["day/day"] > PER_DAY * 0.9
    assert port.rows(date(2026, 1, 5)).schema.names == SESSION.names
