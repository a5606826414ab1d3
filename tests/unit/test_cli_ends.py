"""How a command ends that did not come to its end: Ctrl-C, a closed pipe, a fault of ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from mesh.backbone.process import free_port
from mesh.cli.app import App
from mesh.home import Home
from tests.life import Mesh, wait_until
from tests.unit.test_cli import here, run

__all__ = ["here", "run"]


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


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "call-center", "--as", "grace", "--reason", b"caf\xe9"),
        ("sql", b"select 'caf\xe9'"),
        ("read", "calls", "--where", b"queue=caf\xe9"),
        ("export", "calls", "--out", b"caf\xe9.parquet"),
        (b"caf\xe9",),
    ],
    ids=str,
)
def test_an_argument_that_is_no_text_is_wrong_use_and_never_shown(run, arguments):
    code, said, errors = run(*map(os.fsdecode, arguments))

    assert (code, said) == (2, "")
    assert errors.startswith(f"mesh: argument {len(arguments)} is not UTF-8: ")
    assert errors.count("\n") == 1
    assert errors.isascii()
