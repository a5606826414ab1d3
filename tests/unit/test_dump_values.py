"""What the values in a dumped file mean: days, numbers, encodings, names."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mesh.product.deliveries import folder_of
from tests.dumps import dumped, rows_of, types_of
from tests.repository import ROOT


@pytest.fixture
def root(tmp_path):
    """A project that knows the company's identifiers and has no product."""
    (tmp_path / "company").mkdir()
    shutil.copy(ROOT / "company" / "identifiers.yaml", tmp_path / "company")
    (tmp_path / "products").mkdir()
    return tmp_path


def test_a_decimal_that_has_more_places_than_promised_is_not_rounded(root):
    dumped(root, "id,amount\n1,1.25\n2,3.50\n")
    found = dumped(root, "id,amount\n1,1.255\n2,3.5000\n")
    assert [id_ for id_, _ in rows_of(found)] == [2]


@pytest.mark.parametrize(
    ("form", "other"),
    [
        ("%Y-%m-%d", ""),
        ("%d.%m.%Y", ""),
        ("%d/%m/%Y", ""),
        ("%m/%d/%Y", ""),
        ("%Y%m%d", ""),
        ("%d-%b-%Y", ""),
        ("%B %d, %Y", ""),
        ("%Y-%m-%d", "%d.%m.%Y"),
        ("%Y%m%d", "%d %B %Y"),
    ],
)
def test_dates_are_read_in_the_forms_that_people_write(root, form, other):
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(40)]
    texts = [d.strftime(other if other and i % 2 else form) for i, d in enumerate(days)]
    content = "id;day\n" + "".join(f"{i};{text}\n" for i, text in enumerate(texts))
    assert [day for _, day in rows_of(dumped(root, content))] == days


def test_a_date_that_can_be_read_in_two_ways_stays_text_until_a_person_says_which(root):
    content = "id,day\n1,01/02/2024\n2,03/04/2024\n"
    found = dumped(root, content)
    assert types_of(found)["day"] == "string"
    assert any("--day-first" in note for each in found.guessed.fields for note in each.notes)
    said = dumped(root, content, name="said", day_first=True)
    assert rows_of(said)[0] == (1, date(2024, 2, 1))


def test_a_time_without_a_zone_is_of_the_zone_that_is_named(root):
    content = "id,at\n1,2024-06-01 10:00\n2,2024-06-01T10:00:00+02:00\n"
    found = dumped(root, content, time_zone="Europe/Berlin")
    folder = folder_of(found.product, found.port)
    at = pq.read_table(folder / "current.parquet")["at"].to_pylist()
    assert at == [datetime(2024, 6, 1, 8, tzinfo=UTC)] * 2


@pytest.mark.parametrize(
    ("values", "kind", "first"),
    [
        (["1", "-22"], "int64", 1),
        (["007", "12"], "string", "007"),
        (["1,5", "22,75"], "decimal", 1.5),
        (["1.234,5", "2,75"], "decimal", 1234.5),
        (["1,234.5", "2.75"], "decimal", 1234.5),
        (["1,234", "5,678"], "string", "1,234"),
        (["1e3", "2.5"], "float64", 1000.0),
        (["yes", "NO"], "boolean", True),
        (["5", "NA"], "int64", 5),
        (["12345678901234567890", "1"], "decimal", 12345678901234567890),
    ],
)
def test_numbers_are_read_as_they_are_written_and_never_guessed_where_two_are_meant(
    root, values, kind, first
):
    content = "id;v\n" + "".join(f"x{i};{value}\n" for i, value in enumerate(values))
    found = dumped(root, content)
    assert types_of(found)["v"] == kind
    assert rows_of(found)[0][1] == first


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp1251"])
def test_text_of_other_encodings_is_found_out_or_named(root, encoding):
    word = "Привет мир" if encoding == "cp1251" else "Größe, naïve Müller"
    content = "id;name\n" + "".join(f'{i};"{word} {i}"\n' for i in range(20))
    named = encoding if encoding == "cp1251" else None
    found = dumped(root, content.encode(encoding), encoding=named)
    assert rows_of(found)[3] == (3, f"{word} 3")


def test_parquet_keeps_its_own_types(root):
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int16()),
            "at": pa.array([datetime(2024, 1, 1), None], pa.timestamp("us")),
            "price": pa.array(["1.50", None], pa.string()).cast(pa.decimal128(9, 2)),
            "tags": pa.array([["a"], None], pa.list_(pa.string())),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    found = dumped(root, sink.getvalue().to_pybytes())
    kinds = {"id": "int32", "at": "timestamp", "price": "decimal", "tags": "string"}
    assert types_of(found) == kinds
    assert rows_of(found)[0][3] == '["a"]'


def test_headers_that_repeat_are_empty_or_foreign_become_names(root):
    found = dumped(root, "a,a,,Größe (cm),2024,from\n1,2,3,4,x,5\n6,7,8,9,y,0\n")
    names = [each.name for each in found.port.contract.fields]
    assert names == ["a", "a_2", "column_3", "grosse_cm", "n_2024", "from"]
    assert any("a_2" in note for note in found.notes)


def test_a_number_of_many_places_is_a_double_with_a_note(root):
    found = dumped(root, "id,v\n1,1.25\n2,0.12345678901\n")
    assert types_of(found)["v"] == "float64"
    notes = [note for each in found.guessed.fields for note in each.notes]
    assert notes == ["a number has 11 places, more than 10: a double, which rounds"]
