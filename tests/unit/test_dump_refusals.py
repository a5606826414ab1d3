"""What `mesh dump` refuses says what is in its way, and leaves nothing."""

from __future__ import annotations

import errno
import os

import duckdb
import pytest

from mesh.errors import MeshError, NoRoom, WrongUse
from mesh.product.dump_source import Options, Source
from tests.dumps import dumped


@pytest.mark.parametrize("size", [17_000_000, 70_000_000])
def test_a_file_whose_only_row_is_too_long_is_told_the_limit_of_a_row(tmp_path, size):
    with pytest.raises(WrongUse, match="a line of more than 16 MiB"):
        dumped(tmp_path, b"id,b\n1," + b"y" * size + b"\n")
    assert list((tmp_path / "products").iterdir()) == []


@pytest.mark.parametrize("name", ["base64", "rot13", "hex", "zip", "uu", "undefined"])
def test_what_is_no_encoding_of_text_is_refused_with_what_to_write_instead(tmp_path, name):
    with pytest.raises(WrongUse, match=f"{name} .*: try utf-8, cp1252, utf-16"):
        dumped(tmp_path, "id,b\n1,x\n2,y\n", encoding=name)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_no_fault_of_the_file(tmp_path, reason):
    class Full:
        def execute(self, *_):
            raise duckdb.IOException(f"IO Error: Could not write file: {os.strerror(reason)}")

    source = Source(
        connection=Full(), path=tmp_path / "a.csv", folder=tmp_path / "b", options=Options()
    )
    with pytest.raises(NoRoom, match="there is no room") as caught:
        source.run("select 1")
    assert caught.value.exit_code == 1


def test_a_disk_that_is_full_while_text_is_copied_is_no_wrong_encoding(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mesh.product.dump_text.codecs.getreader", full)
    with pytest.raises(MeshError, match="cannot be written: No space left") as caught:
        dumped(tmp_path, "id,b\n1,ä\n".encode("cp1252"), encoding="cp1252")
    assert caught.value.exit_code == 1
