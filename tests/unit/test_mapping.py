"""Files that nobody here wrote, through a declared mapping."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mesh.contract.model import Contract
from mesh.contract.odcs import load_contract
from mesh.errors import InvalidFile
from mesh.product.mapping import load_mapping, read_file
from tests.mapped import mapping_of, notes_contract, read, read_notes

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
VAST_MAPPING = ROOT / "company" / "mappings" / "vast2008-cell-calls.yaml"
VAST_FILE = ROOT.parent / "shared" / "data" / "vast2008-cell-calls.csv"


@pytest.fixture(scope="module")
def calls() -> Contract:
    return load_contract(ROOT / "products/call_center/contracts/finished_calls.odcs.yaml")


@pytest.fixture
def notes() -> Contract:
    return notes_contract()


def test_a_file_of_the_contest_s_shape_becomes_calls(calls):
    rows, bad = read(FIXTURES / "cell-calls.csv", load_mapping(VAST_MAPPING, calls), calls)

    assert (len(rows), bad) == (21, [])
    first = {name: value for name, value in rows[0].items() if name != "_digest"}
    assert first == {
        "phone_number": "+12025550123",
        "queue": "general",
        "agent_id": None,
        "reason": None,
        "site": "tower-14",
        "started_at": datetime(2007, 2, 1, 6, 49, tzinfo=UTC),
        "ended_at": datetime(2007, 2, 1, 7, 8, 18, tzinfo=UTC),
        "_line": 2,
    }


@pytest.mark.skipif(not VAST_FILE.exists(), reason=f"{VAST_FILE.name} is not beside the repository")
def test_the_contest_s_own_file_becomes_9834_calls_of_which_none_is_lost(calls):
    rows, bad = read(VAST_FILE, load_mapping(VAST_MAPPING, calls), calls)

    assert (len(rows), bad) == (9_834, [])
    assert len({row["_digest"] for row in rows}) == 9_834


def test_bad_lines_are_kept_and_explained_and_stop_nothing(calls):
    path = FIXTURES / "cell-calls-damaged.csv"
    rows, bad = read(path, load_mapping(VAST_MAPPING, calls), calls)

    assert [row["_line"] for row in rows] == [2, 5, 8, 11]
    assert [(one.line, one.raw) for one in bad] == [
        (3, "12,34,20070231 1200,60,4"),
        (4, "12,34,20070201 1200,a minute,4"),
        (6, "12,34,20070201 1200"),
        (9, "7,8,20070201 1300,60,4,\\xff"),
        (10, '9,"10,20070201 1400,60,4'),
    ]
    assert [one.reason.split(";")[0] for one in bad] == [
        "started_at: `Datetime` is not a time as %Y%m%d %H%M",
        "ended_at: `Datetime` + `Duration(seconds)` is not a time as %Y%m%d %H%M plus seconds",
        "the line has 3 values, and the file has 5 columns",
        "byte 0xff is not utf-8",
        "the quotes cannot be read: a quote is opened and never closed",
    ]


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_batches_of_any_size_hold_the_same_rows(calls, batch_rows):
    path, mapping = FIXTURES / "cell-calls-damaged.csv", load_mapping(VAST_MAPPING, calls)

    assert read(path, mapping, calls, batch_rows) == read(path, mapping, calls)


def test_the_table_has_the_contract_s_arrow_types_without_the_key(calls):
    mapping = load_mapping(VAST_MAPPING, calls)
    (batch,) = read_file(FIXTURES / "cell-calls.csv", mapping, calls)

    assert batch.table.schema.names == [
        "phone_number", "queue", "agent_id", "reason", "site", "started_at", "ended_at",
        "_line", "_digest",
    ]  # fmt: skip
    assert batch.table.schema.field("started_at").type == pa.timestamp("us", tz="UTC")


def test_a_digest_is_of_the_values_and_not_of_how_they_are_written(tmp_path):
    fields = "{code: {column: a}}"
    plain, _ = read_notes(tmp_path, "a,b\n1,2\n", fields)
    other, _ = read_notes(tmp_path, 'b;a\r\n"2";1', fields)
    not_equal, _ = read_notes(tmp_path, "a,b\n1,3\n", fields)

    assert plain[0]["_digest"] == other[0]["_digest"]
    assert plain[0]["_digest"] != not_equal[0]["_digest"]


def test_a_digest_stays_what_it_was(tmp_path):
    rows, _ = read_notes(tmp_path, "a,b\n1,2\n", "{code: {column: a}}")

    assert rows[0]["_digest"] == "821f6e648e42052ce31f2a8867e2f8b7"


def test_a_header_alone_gives_no_batch(tmp_path):
    assert read_notes(tmp_path, "code\n", "{code: {column: code}}") == ([], [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file holds blank lines only"),
        (b"\x89PNG\r\n\x1a\n", "this is a PNG image, not CSV"),
        (gzip.compress(b"code\na\n", mtime=0), "this is compressed with gzip, not CSV"),
        (b"PAR1\x15\x04", "this is Parquet, not CSV"),
        (b"code\na\x00b\n", "this holds NUL bytes"),
        ("code\n".encode("utf-16"), "this is UTF-16, not utf-8"),
        (b"Code,Other\nx,y\n", "no column is called `code`: the file has `Code`, `Other`"),
        (b"code,code\nx,y\n", "2 columns are called `code`"),
        (b'"code\nx\n', "the first line cannot be read"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_reason(tmp_path, data, message):
    with pytest.raises(InvalidFile, match=r"notes\.csv") as found:
        read_notes(tmp_path, data, "{code: {column: code}}")

    assert message in str(found.value)


def test_a_file_that_is_not_there_is_refused(tmp_path, notes):
    mapping = mapping_of(tmp_path, "fields: {code: {column: code}}\n", notes)

    with pytest.raises(InvalidFile, match="cannot be read: No such file"):
        next(read_file(tmp_path / "absent.csv", mapping, notes))
