"""The command line: help, JSON, exit codes, and what it says when something is wrong."""

from __future__ import annotations

import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import duckdb
import pytest

from mesh.backbone.process import free_port
from mesh.cli import main as cli
from mesh.cli.app import App
from mesh.cli.main import COMMANDS, HIDDEN, mesh
from mesh.home import Home
from tests.life import Mesh, wait_until


def commands(group: click.Group = mesh, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that is shown, as its words."""
    context = click.Context(group, obj=App())
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def found(words: tuple[str, ...]) -> click.Command:
    command: click.Command = mesh
    for word in words:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), word)
        assert inner is not None
        command = inner
    return command


ALL = list(commands())
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def here(tmp_path):
    """The command with a state folder of its own."""
    return Mesh(tmp_path / "home")


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in this process: code, output, errors."""
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    before = {each: signal.getsignal(each) for each in SIGNALS}

    def run_(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mesh", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    yield run_
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_help_of_each_command_says_what_it_does_with_an_example(run, words):
    code, said, errors = run(*words, "--help")
    example = said.partition("Example:")[2]

    assert (code, errors) == (0, "")
    assert said.startswith("Usage: mesh " + " ".join(words))
    assert "mesh" in example or isinstance(found(words), click.Group)


def test_each_command_that_prints_a_table_prints_json_too():
    printing = [
        words for words in ALL if "show_table(" in source(words) or "show_json(" in source(words)
    ]

    assert len(printing) >= 5
    for words in printing:
        assert "as_json" in {each.name for each in found(words).params}, words


def source(words: tuple[str, ...]) -> str:
    callback = found(words).callback
    return inspect.getsource(inspect.unwrap(callback)) if callback else ""


def test_the_hidden_commands_are_there_and_hidden(run):
    _, said, _ = run("--help")

    assert not {line.split()[0] for line in said.splitlines() if line.strip()} & HIDDEN
    assert set(COMMANDS) >= HIDDEN


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("up", "--nonsense"),
        ("up", "too", "many"),
        ("read",),
        ("read", "calls", "--limit", "0"),
        ("read", "calls", "--limit", "x"),
        ("read", "nonsense"),
        ("run",),
        ("run", "nonsense"),
        ("test", "nonsense"),
        ("feed", "nonsense"),
        ("feed", "call-center", "--calls", "-1"),
        ("feed", "call-center", "a.csv"),
        ("drill", "nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_ends_with_2(run, arguments):
    code, said, errors = run(*arguments)

    assert code == 2
    assert said == ""
    assert errors


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("read", "cals"), "calls"),
        (("read", "call-center.call"), "call-center.calls"),
        (("run", "call-centre"), "call-center"),
        (("test", "call_center"), "call-center"),
        (("feed", "callcenter"), "call-center"),
    ],
    ids=str,
)
def test_a_name_that_is_nearly_right_is_met_with_the_right_one(run, arguments, meant):
    code, _, errors = run(*arguments)

    assert code == 2
    assert errors.rstrip().endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    "arguments",
    [("read", "calls"), ("token",), ("feed", "call-center"), ("run", "call-center")],
    ids=" ".join,
)
def test_a_command_that_needs_the_mesh_says_how_to_start_it(run, arguments):
    code, _, errors = run(*arguments)

    assert code == 1
    assert "mesh up" in errors.splitlines()[-1]


def test_status_without_a_mesh_is_no_failure_and_makes_nothing(run, tmp_path):
    code, said, errors = run("status", "--json")

    assert (code, errors) == (0, "")
    assert json.loads(said)["state"] == "stopped"
    assert "no mesh runs" in run("down")[1]
    assert not (tmp_path / "home").exists()


def test_a_service_that_runs_elsewhere_is_asked_there(run, monkeypatch):
    monkeypatch.setenv("MESH_SERVICES", '{"call-center": "http://127.0.0.1:9"}')
    document = json.loads(run("status", "--json")[1])

    assert document["state"] == "stopped"
    assert document["services"][0]["name"] == "call-center"
    assert document["services"][0]["state"] == "absent"


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_fault_of_ours_is_one_line_and_the_traceback_is_kept(run, monkeypatch, tmp_path, debug):
    def fail(app: App) -> None:
        raise ZeroDivisionError("a secret\nof two lines")

    monkeypatch.setattr("mesh.cli.status.status_document", fail)
    monkeypatch.setenv("MESH_DEBUG", debug)
    logs = tmp_path / "home" / "logs"
    logs.mkdir(parents=True)
    code, _, errors = run("status")

    last = errors.splitlines()[-1]
    assert code == 1
    assert last.startswith("mesh: a fault of the mesh itself, ZeroDivisionError: a secret of two")
    if debug:
        assert "Traceback" in errors
        assert 'raise ZeroDivisionError("a secret' in errors
        return
    assert errors.count("\n") == 1
    assert str(logs / "faults.log") in last
    assert "raise ZeroDivisionError" in (logs / "faults.log").read_text()


def test_a_fault_before_there_is_a_folder_says_how_to_see_it(run, monkeypatch):
    def fail(app: App) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mesh.cli.status.status_document", fail)
    code, _, errors = run("status")

    assert code == 1
    assert "MESH_DEBUG=1" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("topics",), ("topics", "--json"), ("--help",)], ids=" ".join
)
def test_a_reader_who_has_seen_enough_is_no_error(here: Mesh, arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "mesh", *arguments],
        env=here.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()

    assert process.wait(20) in (0, 1)
    assert errors == b""


def test_ctrl_c_while_a_command_waits_ends_it_with_130_and_one_word(here: Mesh):
    Home.open(here.home).make_secret("ada")
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        services = json.dumps({"access": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        command = here.start("token", "--as", "ada", MESH_SERVICES=services)
        with silent.accept()[0]:
            code = command.end_by(signal.SIGINT)

    assert code == 130
    assert command.said.strip() == "interrupted"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc, as Linux has it")
def test_ctrl_c_while_a_command_is_being_loaded_ends_it_alike(here: Mesh):
    command = here.start("status")
    maps = Path(f"/proc/{command.process.pid}/maps")
    wait_until(lambda: "pydantic_core" in maps.read_text())
    code = command.end_by(signal.SIGINT)

    # Where a namedtuple was being made, Python ends by the signal, which a shell calls 130 too.
    assert code in (130, -signal.SIGINT)
    assert command.said.strip() == "interrupted"


def test_ctrl_c_while_duckdb_is_busy_is_ctrl_c(run, monkeypatch):
    def compute(app: App) -> None:
        query = "select count(*) from range(5000) a, range(5000) b where a.range < b.range"
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
        while True:
            duckdb.connect().execute(query).fetchall()

    monkeypatch.setattr("mesh.cli.status.status_document", compute)

    code, said, errors = run("status")
    assert (errors.strip(), said, code) == ("interrupted", "", 130)


def test_output_for_a_pipe_has_no_colours(here: Mesh):
    assert "\x1b" not in here.run("topics") + here.run("status")


def test_the_version_is_said(run):
    assert run("--version")[1].startswith("mesh, version 0.")
