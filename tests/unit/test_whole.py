"""What somebody asks to be written is a file of its own, whole, and takes the place of no other."""

from __future__ import annotations

import os
import stat

import httpx
import pytest

from mesh.batch.whole import whole
from mesh.cli.doors import receive
from mesh.cli.doors import write as write_answer
from mesh.cli.export import free_path
from mesh.cli.output import put_text
from mesh.errors import SettingsError, WrongUse
from tests.unit.test_cli import run
from tests.unit.test_export import exported, said

__all__ = ["run"]


def export_to(path):
    exported(path, said([("a", 1)]))


WRITERS = {
    "text": lambda path: put_text(path, "new"),
    "answer": lambda path: write_answer(path, httpx.Response(200, content=b"new")),
    "export": export_to,
}


@pytest.fixture(params=WRITERS)
def put(request):
    return WRITERS[request.param]


def test_what_is_no_plain_file_is_never_replaced(put, tmp_path):
    pipe, folder, link = tmp_path / "pipe", tmp_path / "folder", tmp_path / "link"
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to(pipe)
    for path in (pipe, folder, link):
        with pytest.raises(WrongUse, match=f"{path.name} is there, and no plain file"):
            put(path)

    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert {each.name for each in tmp_path.iterdir()} == {"pipe", "folder", "link"}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_one_and_what_it_points_to_is_written(put, tmp_path, is_there):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    link.symlink_to(target)
    if is_there:
        target.write_text("old")
    put(link)

    assert link.readlink() == target
    assert target.stat().st_size > 0
    assert target.read_bytes() != b"old"
    assert [each.name for each in target.parent.iterdir()] == ["target"]


def test_a_link_into_a_circle_is_told_in_words(put, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(SettingsError, match=r"link cannot be written: Too many levels"):
        put(link)


def fail_in_the_middle(path):
    with whole(path) as part:
        part.write_text("half")
        raise ZeroDivisionError


def test_what_is_written_by_half_is_not_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_door_is_asked_for_what_can_be_written_nowhere(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(WrongUse, match="no plain file"):
        receive("GET", "http://127.0.0.1:9/rows", {}, tmp_path / "pipe.csv")


def test_an_export_is_not_begun_where_force_would_not_help(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongUse, match="no plain file"):
        free_path(tmp_path / "pipe", is_forced=True)


def test_an_export_into_a_pipe_is_wrong_use_and_told_in_a_line(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    code, _, errors = run("export", "calls", "--force", "--out", str(tmp_path / "pipe"))

    assert code == 2
    assert errors.count("\n") == 1
