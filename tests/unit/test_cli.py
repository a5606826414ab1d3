"""The command line: help, JSON, exit codes, and what it says when something is wrong."""

from __future__ import annotations

import inspect
import json
import signal
import sys
from collections.abc import Iterator

import click
import pytest

from mesh.cli import main as cli
from mesh.cli.app import App
from mesh.cli.main import COMMANDS, HIDDEN, mesh
from tests.life import Mesh


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


def test_a_port_is_fed_from_a_file_alone(run):
    code, _, errors = run("feed", "contracts", "--port", "nosuch")

    assert (code, errors.startswith("mesh: --port says where a FILE goes")) == (2, True)


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


def test_output_for_a_pipe_has_no_colours(here: Mesh):
    assert "\x1b" not in here.run("topics") + here.run("status")


def test_the_version_is_said(run):
    assert run("--version")[1].startswith("mesh, version 0.")
