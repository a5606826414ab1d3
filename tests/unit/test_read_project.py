"""Tests of reading a test's project again only where a file of it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.errors import InvalidFile
from mesh.testing.copies import copy_project
from mesh.testing.projects import read_project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path) -> Path:
    copy_project(ROOT, tmp_path, "t1", ["call-center"])
    return tmp_path


def descriptor(root: Path) -> Path:
    return root / "products" / "call_center" / "product.yaml"


def test_what_did_not_change_is_not_read_again(root):
    assert read_project(root) is read_project(root)


def test_an_edited_file_has_it_read_again(root):
    assert read_project(root).product("call-center").name == "Call center"
    text = descriptor(root).read_text(encoding="utf-8")
    descriptor(root).write_text(text.replace("name: Call center", "name: Calls"), "utf-8")

    assert read_project(root).product("call-center").name == "Calls"


def test_a_new_file_and_one_that_is_gone_have_it_read_again(root):
    before = read_project(root)
    (root / "products" / "call_center" / "notes.txt").write_text("new")
    added = read_project(root)
    (root / "products" / "call_center" / "notes.txt").unlink()

    assert len({id(each) for each in (before, added, read_project(root))}) == 3


def test_a_file_that_became_wrong_is_told_each_time(root):
    read_project(root)
    descriptor(root).write_text("id: [", "utf-8")

    for _ in range(2):
        with pytest.raises(InvalidFile):
            read_project(root)
