"""Tests for `run`, the script at the root: all but a real installation (tests/e2e)."""

from __future__ import annotations

import ast
import fcntl
import os
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from tests.repository import ROOT

loader = SourceFileLoader("run_script", str(ROOT / "run"))
run = module_from_spec(spec_from_loader(loader.name, loader))
sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
loader.exec_module(run)
sys.dont_write_bytecode = before


@pytest.fixture
def finished_venv(tmp_path):
    """A place that looks set up; its Python prints what it is asked for, and fails when told to."""
    python = tmp_path / "a venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\nfor word; do printf "<%s>" "$word"; done; echo; exit ${FAIL:-0}\n'
    )
    python.chmod(0o755)
    (tmp_path / "a venv" / run.STAMP).write_text(run.stamp("dev"))
    return tmp_path / "a venv"


def start(*arguments, **environment):
    """Start `./run` as a person does."""
    return subprocess.run(
        [sys.executable, ROOT / "run", *arguments],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


TWO_AT_A_TIME = "<-n><auto><--maxprocesses><2><--dist><loadfile><--no-loadscope-reorder>"


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("./run demo", "<-m><mesh><demo>"),
        ("./run demo --keep", "<-m><mesh><demo><--keep>"),
        ("./run mesh status --json", "<-m><mesh><status><--json>"),
        ("./run test", f"<-m><pytest><-m><not long>{TWO_AT_A_TIME}"),
        ("./run test -k wire", f"<-m><pytest><-m><not long>{TWO_AT_A_TIME}<-k><wire>"),
        (
            "./run test --tier fast",
            "<-m><pytest><-m><not slow and not long and not network and not docker>"
            + TWO_AT_A_TIME,
        ),
        ("./run test --tier fast -k wire", f"docker>{TWO_AT_A_TIME}<-k><wire>"),
        ("./run test --tier long", "<-m><pytest><-m><long>"),
    ],
)
def test_a_command_becomes_a_module_of_the_environment(finished_venv, command, asked):
    result = start(*command.split()[1:], MESH_VENV=finished_venv)

    assert result.returncode == 0
    assert result.stdout.splitlines()[-1].endswith(asked)


def test_the_checks_come_before_the_tests(finished_venv):
    printed = start("test", MESH_VENV=finished_venv).stdout.splitlines()

    assert [line.split("><")[1].strip("<>") for line in printed] == [
        "ruff",
        "ruff",
        "mypy",
        "pytest",
    ]


def test_a_failed_check_stops_before_the_tests(finished_venv):
    result = start("test", MESH_VENV=finished_venv, FAIL=3)

    assert result.returncode == 1
    assert "pytest" not in result.stdout
    assert "ruff check and ruff format and mypy found faults" in result.stderr


def test_the_exit_code_of_the_command_is_passed_on(finished_venv):
    assert start("mesh", "x", MESH_VENV=finished_venv, FAIL=7).returncode == 7


def test_nothing_is_done_when_all_is_set_up(finished_venv):
    begin = time.monotonic()
    result = start("setup", MESH_VENV=finished_venv)

    assert result.stderr == f"run: ready: {finished_venv}/bin/python\n"
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"], ["test", "--help"]])
def test_help_has_examples_and_installs_nothing(arguments, tmp_path):
    result = start(*arguments, MESH_VENV=tmp_path / "none")

    assert result.returncode == 0
    assert "Examples:\n  ./run demo" in result.stdout
    assert not (tmp_path / "none").exists()


def test_a_wrong_command_is_wrong_use():
    result = start("destroy")

    assert result.returncode == 2
    assert result.stderr == "run: there is no command 'destroy'; ./run --help lists them\n"


def test_a_wrong_tier_is_named():
    assert (
        "there is no tier 'slow'; the tiers are fast, all, long"
        in start("test", "--tier=slow").stderr
    )


@pytest.mark.parametrize("place", ["/dev/null/venv", "/proc/venv"])
def test_a_place_that_cannot_be_written_is_one_clear_line(place):
    result = start("setup", MESH_VENV=place)

    assert result.returncode == 1
    assert result.stderr.startswith(f"run: cannot use {place}: ")
    assert result.stderr.count("\n") == 1


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = start("setup", MESH_VENV=tmp_path)

    assert result.returncode == 1
    assert "was not made by ./run" in result.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_an_older_python_says_what_is_missing():
    script = "import runpy, sys; sys.version_info = (3, 9, 1); runpy.run_path('run')"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert result.stderr.startswith("run: this is Python 3.9 and the mesh needs 3.11 or newer; ")


def test_an_older_python_can_read_the_script():
    ast.parse((ROOT / "run").read_text("utf-8"), feature_version=(3, 6))


def test_the_second_of_two_runs_waits_for_the_first(tmp_path):
    folder = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    second = subprocess.Popen(
        [sys.executable, ROOT / "run", "setup"],
        env={**os.environ, "MESH_VENV": "/dev/null/venv"},
        stderr=subprocess.PIPE,
        text=True,
    )
    first_line = second.stderr.readline()
    assert second.poll() is None
    os.close(folder)

    assert "another ./run sets up this checkout; waiting" in first_line
    assert "cannot use" in second.communicate(timeout=30)[1]


def test_the_stamp_changes_with_what_it_depends_on(monkeypatch, tmp_path):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    here = run.stamp("dev")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    elsewhere = run.stamp("dev")
    (tmp_path / "constraints.txt").write_text("duckdb==1.5.6\n")

    assert len({here, elsewhere, run.stamp("dev"), run.stamp("")}) == 4


def test_an_environment_with_the_tools_serves_the_demo_too(finished_venv):
    assert run.is_ready(finished_venv, "")
    (finished_venv / run.STAMP).write_text(run.stamp(""))

    assert not run.is_ready(finished_venv, "dev")


def test_a_set_up_that_was_cut_short_begins_again(finished_venv, monkeypatch):
    (finished_venv / run.STAMP).write_text(run.UNFINISHED)
    monkeypatch.setattr(run, "create", lambda venv: None)
    monkeypatch.setattr(run, "install", lambda *_: None)
    run.set_up(finished_venv, "")

    assert not run.python_of(finished_venv).exists()
    assert run.stamp_of(finished_venv) == run.stamp("")


def test_the_newest_wheel_of_pip_is_tried_first(tmp_path, monkeypatch):
    for name in ("pip-9.0-py3-none-any.whl", "pip-99.2-py3-none-any.whl", "other-1.whl"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    names = [wheel.name for wheel in run.pip_wheels()]

    assert names[0] == "pip-99.2-py3-none-any.whl"
    assert names[-1] == "pip-9.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("x\nOSError: [Errno 28] No space left on device\n", "the disk is full"),
        ("WARNING: Retrying … NewConnectionError('…')\nERROR: x\n", "no package index answers"),
        ("ERROR: No matching\nerror: subprocess-exited-with-error\n", "pip failed: No matching"),
        ("", "it gave no reason"),
    ],
)
def test_a_failure_of_pip_is_explained_in_one_line(output, words):
    explanation = run.explain(output)

    assert words in explanation
    assert "\n" not in explanation


@pytest.mark.slow
def test_no_index_and_no_network_is_one_clear_line(tmp_path):
    result = start(
        "setup",
        MESH_VENV=tmp_path / "v",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_NO_CACHE_DIR=1,
        PIP_FIND_LINKS="",
        PIP_RETRIES=0,
    )
    *progress, last = result.stderr.splitlines()

    assert result.returncode == 1
    assert last.startswith("run: no package index answers; connect the machine")
    assert all(line.startswith("run: ") for line in progress)
