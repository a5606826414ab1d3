"""Tests for `tests.documents`: a document that lies is found out."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from sybil.example import SybilFailure

from tests.documents import Shell, commands_in, matches, run_document


def document(folder: Path, block: str) -> Path:
    path = folder / "page.md"
    path.write_text(f"# A page\n\nWords.\n\n```console\n{block}\n```\n")
    return path


def test_a_document_that_tells_the_truth_passes(tmp_path):
    page = document(tmp_path, "$ seq 2\n1\n2\n$ echo b   \nb")

    assert run_document(page, tmp_path) == 2


def test_a_wrong_number_fails_and_names_the_line(tmp_path):
    page = document(tmp_path, "$ echo 41 calls\n42 calls")

    with pytest.raises(SybilFailure, match=r"page\.md, line 5.*\n\$ echo") as failure:
        run_document(page, tmp_path)
    assert "-42 calls\n+41 calls" in str(failure.value)


@pytest.mark.parametrize("block", ["$ echo 1", "$ true\n1", "$ echo 1\n1\n2", "$ false"])
def test_output_too_much_or_too_little_and_an_exit_code_fail(tmp_path, block):
    with pytest.raises(SybilFailure):
        run_document(document(tmp_path, block), tmp_path)


def test_a_failure_that_was_promised_passes(tmp_path):
    page = document(tmp_path, "$ echo no >&2; exit 3\nno\n[exit 3]\n$ false\n[exit 1]")

    assert run_document(page, tmp_path) == 2


def test_another_exit_code_than_promised_fails(tmp_path):
    with pytest.raises(SybilFailure, match="exit 4, not 3"):
        run_document(document(tmp_path, "$ exit 4\n[exit 3]"), tmp_path)


@pytest.mark.parametrize(
    ("expected", "output", "fits"),
    [
        (("ready in … s",), "ready in 3.1 s\n", True),
        (("ready in … s", "7"), "ready in 3.1 s\n8\n", False),
        (("a", "…", "z"), "a\nb\nc\nz\n", True),
        (("a", "...", "z"), "a\nz\n", True),
        (("a", "…"), "b\n", False),
        (("a…z",), "a\nz\n", False),
        (("a.c",), "abc\n", False),
        (("a",), "a  \n\n", True),
        (("a", "", "b"), "a\nb\n", False),
    ],
)
def test_an_ellipsis_stands_for_text_and_for_nothing_else(expected, output, fits):
    assert matches(expected, output) is fits


def test_variables_and_the_folder_carry_over(tmp_path):
    page = document(tmp_path, "$ WHO='a b'; cd tests\n$ echo $WHO; basename $PWD\na b\ntests")

    assert run_document(page, tmp_path) == 2


def test_a_command_may_go_on_over_two_lines(tmp_path):
    assert run_document(document(tmp_path, "$ echo a \\\n    b\na b"), tmp_path) == 1


def test_mesh_is_on_the_path_and_has_a_state_folder_of_its_own(tmp_path):
    page = document(tmp_path, "$ command -v mesh; echo $MESH_HOME\n…/mesh\n…/home")

    assert run_document(page, tmp_path) == 1


def test_what_a_document_leaves_running_is_stopped_also_when_it_fails(tmp_path):
    page = document(tmp_path, "$ sleep 300 & echo $!\nnot a number")

    with pytest.raises(SybilFailure) as failure:
        run_document(page, tmp_path)
    pid = int(str(failure.value).rpartition("+")[2])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_service_that_keeps_the_output_open_does_not_hold_the_next_command(tmp_path):
    shell = Shell(tmp_path / "home", tmp_path)

    assert shell.run("sleep 300 & echo started") == (0, "started\n")
    shell.close()


def test_a_block_that_begins_with_output_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="begins with"):
        run_document(document(tmp_path, "1\n$ echo 1\n1"), tmp_path)


def test_commands_are_found_with_and_without_a_prompt(tmp_path):
    page = document(tmp_path, "$ mesh up\n…")
    page.write_text(page.read_text() + "\n```sh\n./run test\n```\n")

    assert commands_in(page, ("console", "sh")) == ["mesh up", "./run test"]
