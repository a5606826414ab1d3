"""What `mesh sql` and `mesh query run` take: a text that is not too long, and one format."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mesh.cli.doors import form_for
from mesh.cli.sql import text_in
from mesh.contract.sql import LONGEST_SQL
from mesh.errors import WrongUse
from tests.unit.test_cli import run

__all__ = ["run"]

SELECT = b"select 1 -- caf\xc3\xa9 "


class Endless(io.RawIOBase):
    """A file without an end, as /dev/zero is, that counts what was asked of it."""

    name = "endless"

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self.given += len(buffer)
        assert self.given < 10 * LONGEST_SQL
        return len(buffer)


def test_of_a_file_without_an_end_no_more_is_read_than_a_query_may_have():
    endless = Endless()
    with pytest.raises(WrongUse, match="endless has more than the 100,000 bytes"):
        text_in(io.BufferedReader(endless))

    assert endless.given >= LONGEST_SQL


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (SELECT.ljust(LONGEST_SQL), 1, "mesh up"),
        (SELECT.ljust(LONGEST_SQL + 1), 2, "more than the 100,000 bytes"),
        (b"select 'caf\xe9'", 2, "is not UTF-8"),
    ],
    ids=["longest", "longer", "latin-1"],
)
def test_a_file_that_is_no_query_is_told_before_anybody_is_asked(run, tmp_path, data, code, said):
    path = tmp_path / "query.sql"
    path.write_bytes(data)
    found, _, errors = run("sql", "--file", str(path))

    assert found == code
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("sql", "select 1", "--csv"),
        ("query", "run", "calls-per-day", "--csv"),
        ("read", "calls", "--format", "csv"),
        ("audit", "state", "contracts", "--format", "csv"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(
    ("more", "second"),
    [(("--json",), "json"), (("--out", "x.parquet"), "parquet"), (("--out", "x.json"), "json")],
    ids=str,
)
def test_two_formats_at_once_are_wrong_use(run, command, more, second):
    code, said, errors = run(*command, *more)

    assert (code, said) == (2, "")
    assert errors == f"mesh: csv and {second} are two formats: ask for one of them\n"


@pytest.mark.parametrize(
    ("form", "out", "as_json", "found"),
    [
        ("csv", None, False, "csv"),
        ("csv", "x.csv", False, "csv"),
        ("csv", "x.txt", False, "csv"),
        (None, "x.parquet", False, "parquet"),
        (None, "x.json", True, "json"),
        (None, "x", True, "json"),
    ],
)
def test_a_format_is_said_in_one_way_or_in_several_that_agree(form, out, as_json, found):
    assert form_for(form, Path(out) if out else None, as_json=as_json) == found
