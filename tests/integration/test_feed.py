"""Tests of a file that nobody here wrote: each line goes to the staging topic exactly once."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mesh.errors import StorageError
from mesh.product.feed import CONTRADICTS
from mesh.product.mapping import load_mapping, read_file
from tests.stream import (
    PRODUCT,
    STAGING,
    FaultyRelay,
    calls,
    ids_of,
    keys_of,
    make_anew,
    published,
    quality,
    run,
    staged,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

REAL_FILE = Path(__file__).parents[3] / "shared" / "data" / "vast2008-cell-calls.csv"
HEADER = "From,To,Datetime,Duration(seconds),Cell Tower"


def lines(count: int, start: int = 0) -> list[str]:
    """Lines of our own in the shape of the real file; no two are equal."""
    return [
        f"{n % 400},{n * 7 % 400},200606{1 + n % 9:02d} {n % 24:02d}{n % 60:02d},{n},{n % 30}"
        for n in range(start, start + count)
    ]


def write(folder: Path, name: str, body: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *body]) + "\n")
    return path


def mapping_path(bench) -> Path:
    return bench.root / "company" / "mappings" / "vast2008-cell-calls.yaml"


def feed_file(bench, path: Path, batch_rows: int = 20_000):
    """Feed a file by the mapping that ships; the account."""
    contract = bench.contract(STAGING)
    mapping = load_mapping(mapping_path(bench), contract)
    return bench.feed_batches(PRODUCT, read_file(path, mapping, contract, batch_rows=batch_rows))


def start_feed(bench, path: Path, *options: str) -> subprocess.Popen:
    """`mesh feed` in a process of its own."""
    command = ["feed", PRODUCT, str(path), "--mapping", str(mapping_path(bench)), *options]
    return subprocess.Popen(
        [sys.executable, "-m", "mesh", *command],
        env=bench.environment(),
        cwd=bench.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_line_becomes_a_call_by_the_mapping_that_ships(workbench, tmp_path):
    fed = feed_file(workbench, write(tmp_path, "one.csv", ["23,349,20060601 0008,1634,1"]))
    run(workbench, 1)

    assert (fed.count_read, fed.count_new, fed.count_bad) == (1, 1, 0)
    (row,) = workbench.rows(PRODUCT, "calls")
    assert row["phone_number"] == "+12025550023"
    assert (row["queue"], row["site"], row["duration_s"]) == ("general", "tower-1", 1634)
    assert row["started_at"] == datetime(2006, 6, 1, 0, 8, tzinfo=UTC)


def test_only_the_new_lines_of_a_file_are_sent(workbench, tmp_path):
    first = write(tmp_path, "first.csv", lines(100))
    overlapping = write(tmp_path, "overlapping.csv", lines(100, 60))

    accounts = [feed_file(workbench, each) for each in (first, first, overlapping)]

    assert [each.count_new for each in accounts] == [100, 0, 60]
    assert [each.count_known for each in accounts] == [0, 100, 40]
    assert len(set(keys_of(staged(workbench)))) == len(staged(workbench)) == 160


def test_equal_lines_of_a_file_are_as_many_events(workbench, tmp_path):
    twice = [*lines(3), *lines(3), "1,2,20060601 0001,5,1"]

    # A batch a line, so that the count goes on from batch to batch.
    accounts = [feed_file(workbench, write(tmp_path, "a.csv", twice), 1) for _ in range(2)]

    assert [(each.count_new, each.count_known) for each in accounts] == [(7, 0), (0, 7)]
    assert len(set(keys_of(staged(workbench)))) == 7


def test_the_same_key_with_other_content_is_refused_with_the_reason(workbench):
    before = calls(5)
    other = before.set_column(
        before.schema.get_field_index("site"), "site", pa.array(["elsewhere"] * 5)
    )
    workbench.feed(PRODUCT, before)

    again = workbench.feed(PRODUCT, pa.concat_tables([other, calls(2, 5), calls(2, 5)]))

    assert (again.count_new, again.count_known, again.count_bad) == (2, 2, 5)
    assert again.reasons == {CONTRADICTS: 5}
    assert keys_of(staged(workbench)) == ids_of(calls(7))


def test_a_line_that_breaks_two_rules_is_one_bad_line(workbench):
    table = calls(3)
    empty = pa.array(["", "", "+12025550199"])
    table = table.set_column(table.schema.get_field_index("phone_number"), "phone_number", empty)
    table = table.set_column(table.schema.get_field_index("queue"), "queue", empty)

    fed = workbench.feed(PRODUCT, table)

    assert (fed.count_read, fed.count_new, fed.count_bad) == (3, 0, 3)
    assert fed.reasons.total() == 3


def test_bad_lines_are_counted_kept_and_explained(workbench, tmp_path):
    bad = [
        "1,2,20060601 0008,-60,1",
        "1,2,yesterday,60,1",
        "1,2,3",
        f"1,2,20060601 0008,{10**12},1",
    ]
    path = write(tmp_path, "mixed.csv", [*lines(5), *bad, *lines(5, 5)])

    with start_feed(workbench, path) as process:
        output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert "14 read: 10 new, 0 fed before, 4 bad" in output
    folder = workbench.home.feed(STAGING) / "bad"
    with next(folder.glob("mixed*")).open(newline="") as file:
        kept = {int(row["line"]): row for row in csv.DictReader(file)}
    assert kept.keys() == {7, 8, 9, 10}
    assert "ends-after-start" in kept[7]["reason"]
    assert "is not a time" in kept[8]["reason"]
    assert kept[8]["raw"] == bad[1]
    assert "3 values" in kept[9]["reason"]
    assert kept[9]["raw"] == "1,2,3"
    assert "is not a time" in kept[10]["reason"]
    assert str(folder) in output
    assert len(staged(workbench)) == 10


def test_a_feed_that_is_killed_and_repeated_sends_each_line_once(workbench, tmp_path):
    path = write(tmp_path, "long.csv", lines(40_000))
    in_the_middle = 0
    for wait_s in (0, 0.05, 0.1, 0.15, 0.2):
        with start_feed(workbench, path) as process:
            wait_for_ledger(workbench, process)
            time.sleep(wait_s)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        in_the_middle += 0 < len(staged(workbench)) < 40_000

    fed = feed_file(workbench, path)

    assert (fed.count_read, fed.count_bad) == (40_000, 0)
    assert len(set(keys_of(staged(workbench)))) == len(staged(workbench)) == 40_000
    assert in_the_middle or fed.count_known < 40_000


def wait_for_ledger(bench, process) -> None:
    """Wait until *process* has written to its ledger, or has ended."""
    log = bench.home.feed(STAGING) / "ledger.duckdb.wal"
    deadline = time.monotonic() + 20
    while process.poll() is None and (not log.exists() or log.stat().st_size < 100_000):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_feed_whose_publication_fails_at_any_point_sends_each_line_once(workbench, tmp_path):
    contract = workbench.contract(STAGING)
    mapping = load_mapping(mapping_path(workbench), contract)
    path = write(tmp_path, "long.csv", lines(100))

    with workbench.feeding(PRODUCT) as feed:
        feed._relay = FaultyRelay(feed._relay, ["before", "within", "", "after", "within"])
        batches = read_file(path, mapping, contract, batch_rows=25)
        fed = list(feed.run(batches, lambda bad: None))[-1]

        assert feed._relay.points == []
    assert (fed.count_new, fed.count_bad) == (100, 0)
    assert len(set(keys_of(staged(workbench)))) == len(staged(workbench)) == 100


def test_a_second_feed_at_the_same_time_is_told_who_feeds(workbench, tmp_path):
    path = write(tmp_path, "one.csv", lines(1))

    with workbench.feeding(PRODUCT), start_feed(workbench, path) as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"pid {os.getpid()}" in errors
    assert "Traceback" not in errors


def test_a_staging_topic_made_anew_is_not_fed_from_an_old_ledger(workbench):
    workbench.feed(PRODUCT, calls(5))
    make_anew(workbench, workbench.contract(STAGING).topic)

    with pytest.raises(StorageError, match=r"made anew .* remove"):
        workbench.feed(PRODUCT, calls(5))


@pytest.mark.skipif(not REAL_FILE.exists(), reason=f"{REAL_FILE.name} is not beside the checkout")
def test_the_real_file_goes_through_from_end_to_end(workbench):
    fed = feed_file(workbench, REAL_FILE)
    run(workbench, 9_830)

    # Four calls of the contest last less than no time.
    assert (fed.count_read, fed.count_new, fed.count_bad) == (9_834, 9_830, 4)
    assert [reason.split(":")[0] for reason in fed.reasons] == ["ends-after-start"]
    assert len(published(workbench)) == len(workbench.rows(PRODUCT, "calls")) == 9_830
    assert quality(workbench).total() == 0
