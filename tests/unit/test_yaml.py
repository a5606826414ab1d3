"""Tests for `mesh.contract.yamlfile`: hostile and broken YAML, and the line of every value."""

import time

import pytest

from mesh.contract.yamlfile import MAX_BYTES, parse_yaml, read_yaml
from mesh.errors import InvalidFile

ALIAS_BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)


@pytest.fixture
def faults_of(tmp_path):
    def faults_of(data):
        path = tmp_path / "file.yaml"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        with pytest.raises(InvalidFile) as caught:
            read_yaml(path)
        return caught.value.faults

    return faults_of


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not YAML"),
        ("a: 1\n  b: 2\n", 2, "not YAML"),
        ("a: 'open\n", 2, "not YAML"),
        ("a:\n\t- b\n", 2, "tab"),
        ("a: 1\nb: 2\na: 3\n", 3, "`a` stands here twice"),
        ("a:\n  b: 1\n  b: 2\n", 3, "`b` stands here twice"),
        ("a: 1\nb: &x 2\n", 2, "anchor (&x)"),
        ("a: &x 1\nb: *x\n", 2, "alias (*x)"),
        ("a: 1\nb: !!python/object:os.system {}\n", 2, "tag"),
        ("a: !!str 1\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [a, b]\n: 1\n", 1, "key"),
        ('a: "\\e[2J"\n', 1, "control character"),
        ('a: "\\0"\n', 1, "control character"),
        ("- a\n- b\n", 1, "not a mapping"),
        ("just text\n", 1, "not a mapping"),
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("---\n...\n", 1, "empty"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(faults_of, text, line, words):
    places = [(fault.line, fault.problem) for fault in faults_of(text)]

    assert any(at == line and words in problem for at, problem in places), places


def test_all_duplicate_keys_are_named_at_once(faults_of):
    lines = [fault.line for fault in faults_of("a: 1\na: 2\nb: 1\nb: 2\n")]

    assert lines == [2, 4]


def test_an_alias_bomb_is_refused_at_its_first_alias(faults_of):
    started = time.monotonic()

    faults = faults_of(ALIAS_BOMB)

    assert "alias (*a)" in faults[-1].problem
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{b: " * 5_000, "- " * 5_000])
def test_deep_nesting_is_refused(faults_of, text):
    assert "nested too deeply" in faults_of(text)[-1].problem


def test_a_very_wide_file_is_refused(faults_of):
    assert "more than" in faults_of("a: [" + "1," * 300_000 + "]")[0].problem


def test_a_file_of_100_mb_is_refused_unread(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100_000_000)
    started = time.monotonic()

    with pytest.raises(InvalidFile, match="larger than 1 MiB"):
        read_yaml(path)

    assert time.monotonic() - started < 0.2


def test_a_file_of_the_largest_size_is_read(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_text("a: 1\n#" + "x" * (MAX_BYTES - 6))

    assert read_yaml(path).document == {"a": 1}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a: 1\nb: caf\xe9\n", 2),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", 1),
        ("a: 1".encode("utf-16"), 1),
    ],
)
def test_what_is_not_utf8_is_refused(faults_of, data, line):
    (fault,) = faults_of(data)

    assert (fault.line, fault.problem) == (line, "not UTF-8 text")


def test_binary_bytes_that_are_utf8_are_refused(faults_of):
    assert faults_of(b"\x00\x01\x02\x03")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InvalidFile, match="no such file"):
        read_yaml(tmp_path / "missing.yaml")
    with pytest.raises(InvalidFile, match="not a file"):
        read_yaml(tmp_path)


def test_values_have_the_types_that_they_look_like():
    text = """
        [1, -2, 0.5, 1e3, .5, true, False, null, ~, '1', "true", 2026-01-31, 2026-01-31T12:00:00Z,
         yes, off, 12:30:45, 007, 0x10, 1_000, .inf, 1.0.0, +, -, ., e5]
    """

    values = parse_yaml(f"a: {text}".encode(), "x.yaml").document["a"]

    assert values == [
        1, -2, 0.5, 1000.0, 0.5, True, False, None, None, "1", "true", "2026-01-31",
        "2026-01-31T12:00:00Z", "yes", "off", "12:30:45", "007", "0x10", "1_000", ".inf", "1.0.0",
        "+", "-", ".", "e5",
    ]  # fmt: skip


def test_a_number_too_long_to_be_one_stays_text():
    document = parse_yaml(f"a: {'9' * 5000}\nb: 1.0e+999".encode(), "x.yaml").document

    assert document == {"a": "9" * 5000, "b": "1.0e+999"}


def test_every_value_knows_its_line():
    file = parse_yaml(b"a: 1\nb:\n  - c: 2\n    d:\n      e: 3\n  - f\n", "x.yaml")

    lines = [file.line_of(where) for where in [("a",), ("b",), ("b", 0, "d", "e"), ("b", 1)]]

    assert lines == [1, 2, 5, 6]


def test_a_value_that_is_missing_has_the_line_of_its_nearest_ancestor():
    file = parse_yaml(b"a: 1\nb:\n  - c: 2\n", "x.yaml")

    assert file.line_of(("b", 0, "missing", "deeper")) == 3
    assert file.line_of(("missing",)) == 1
