"""How a CSV file may be written."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.product.mapping import BadLine
from tests.mapped import read_notes

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


def test_a_field_may_hold_line_breaks_delimiters_and_quotes(tmp_path):
    data = 'note,code\r\n"one, ""two""\r\nthree",a\r\nfour,b'
    rows, bad = read_notes(tmp_path, data, "{note: {column: note}, code: {column: code}}")

    assert [(row["_line"], row["note"], row["code"]) for row in rows] == [
        (2, 'one, "two"\r\nthree', "a"),
        (4, "four", "b"),
    ]
    assert bad == []


def test_an_open_quote_costs_its_own_line_only(tmp_path):
    data = 'note,code\n"open,a\n' + "x,b\n" * 3_000
    rows, bad = read_notes(tmp_path, data, "{note: {column: note}}")

    assert [one.line for one in bad] == [2]
    assert [row["_line"] for row in rows] == list(range(3, 3_003))


def test_an_over_long_line_is_cut_and_the_next_one_read(tmp_path):
    data = "note,code\n" + "x" * 300_000 + ",a\nshort,b\n"
    rows, bad = read_notes(tmp_path, data, "{note: {column: note}}")

    assert [row["_line"] for row in rows] == [3]
    assert (bad[0].line, len(bad[0].raw)) == (2, 128 * 1024)
    assert "longer than 131072 characters" in bad[0].reason


def test_a_nul_byte_far_down_is_one_bad_line(tmp_path):
    data = b"note,code\n" + b"x,a\n" * 5_000 + b"\x00,a\ny,b\n"
    rows, bad = read_notes(tmp_path, data, "{note: {column: note}}")

    assert len(rows) == 5_001
    assert bad == [BadLine(line=5_002, raw="\x00,a", reason="the line holds a NUL byte")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_columns_that_the_mapping_names(tmp_path, delimiter):
    decoys = {",", ";", "\t", "|"} - {delimiter}
    data = f"\na{'b'.join(sorted(decoys))}c{delimiter}code\nx{delimiter}y\n"
    rows, bad = read_notes(tmp_path, data, "{code: {column: code}}")

    assert ([row["code"] for row in rows], bad) == (["y"], [])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ending_will_do(tmp_path, end):
    rows, bad = read_notes(tmp_path, end.join(["code", "a", "b"]), "{code: {column: code}}")

    assert [(row["_line"], row["code"]) for row in rows] == [(2, "a"), (3, "b")]
    assert bad == []


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("latin-1", "latin-1"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
    ],
)
def test_text_of_any_encoding_arrives_whole(tmp_path, encoding, declared):
    data = "Größe\nÄä\n".encode(encoding)
    rows, bad = read_notes(tmp_path, data, "{code: {column: Größe}}", f"{{encoding: {declared}}}")

    assert ([row["code"] for row in rows], bad) == (["Ää"], [])


def test_a_broken_unit_of_utf_16_is_one_bad_line(tmp_path):
    data = "code\na\n".encode("utf-16-le") + b"\x00\xdc" + "\nb\n".encode("utf-16-le")
    rows, bad = read_notes(tmp_path, data, "{code: {column: code}}", "{encoding: utf-16-le}")

    assert [row["code"] for row in rows] == ["a", "b"]
    assert [(one.line, one.raw) for one in bad] == [(3, "\\x00\\xdc")]


def test_a_file_without_a_header_has_columns_by_place(tmp_path):
    rows, _ = read_notes(tmp_path, "a;1\nb;2\n", "{code: {column: 1}, count: {column: 2}}",
                         "{header: false}")  # fmt: skip

    assert [(row["_line"], row["code"], row["count"]) for row in rows] == [(1, "a", 1), (2, "b", 2)]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_whatever_a_csv_writer_writes_is_read_back(rows, delimiter, quoting):
    written = StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting)
    writer.writerows([("note", "code"), *rows])
    with TemporaryDirectory() as folder:
        fields = "{note: {column: note, empty_is_null: false}, code: {column: code}}"
        found, bad = read_notes(Path(folder), written.getvalue(), fields)

    assert bad == []
    assert [(row["note"], row["code"] or "") for row in found] == rows


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"\xff", b"\x00", b"a", b"\xc3"])))
def test_whatever_the_bytes_are_each_line_is_a_row_or_explained(pieces):
    data = b"note,code\n" + b"x,y\n" * 2_048 + b"".join(pieces) + b"\nlast,z\n"
    with TemporaryDirectory() as folder:
        found, bad = read_notes(Path(folder), data, "{note: {column: note}}")

    assert len(found) + len(bad) >= 2_049
    assert all(one.reason for one in bad)
