"""Processes that are forked from a program behave as those that are started by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mesh.backbone.forking import ForkServer
from mesh.backbone.process import Command, spawn
from mesh.control.forked import Forked, Process, forking
from mesh.errors import BackboneError, MeshError
from mesh.wiring.forked import check_alone
from tests.life import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
# A module of its own, which `python -m` finds on the path that it is given.
PROGRAM = """
import os, signal, sys, time
print(sys.argv[1:], os.environ.get("COLOUR"), os.getcwd(), os.getsid(0) == os.getpid(), flush=True)
if "--wait" in sys.argv:
    time.sleep(60)
sys.exit(3)
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture(params=["linux", pytest.param("darwin", id="by-itself")])
def start(request, folder) -> Iterator[Callable[[Command], Process]]:
    """Both ways to start our own processes."""
    if request.param == "linux" != sys.platform:
        pytest.skip("forks are for Linux")
    with forking("mesh.wiring.forked", environment(folder), request.param) as found:
        yield found


def environment(folder, **more) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]), **more}


def command(folder, *arguments) -> Command:
    return Command(
        argv=(sys.executable, "-P", "-m", "program", *arguments),
        env=environment(folder, COLOUR="green"),
        cwd=folder,
        log=folder / "logs" / "it.log",
    )


def begun(folder, lines=1) -> list[str]:
    log = folder / "logs" / "it.log"
    wait_until(lambda: log.exists() and log.read_text().count("\n") == lines)
    return log.read_text().splitlines()


def test_it_has_its_arguments_environment_folder_session_and_log(start, folder):
    process = start(command(folder, "a", "b"))

    assert isinstance(process, Forked) == (start is not spawn)
    assert process.wait(60) == process.returncode == 3
    assert begun(folder) == [f"['a', 'b'] green {folder} True"]

    assert start(command(folder)).wait(60) == 3
    assert begun(folder, 2)[1] == f"[] green {folder} True"


@pytest.mark.parametrize(
    ("method", "number"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)]
)
def test_it_runs_until_it_is_ended_and_says_how(start, folder, method, number):
    process = start(command(folder, "--wait"))
    begun(folder)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)

    getattr(process, method)()

    assert process.wait(60) == process.poll() == -number
    process.terminate()  # Whoever has ended is not asked again, and nor is who has its number now.


def test_a_log_that_cannot_be_written_is_told(start, folder):
    (folder / "logs").write_text("in the way")

    with pytest.raises(BackboneError, match=r"cannot start .*logs"):
        start(command(folder))


@linux
def test_whoever_dies_stays_known_until_it_is_asked_how(folder):
    with ForkServer("mesh.wiring.forked", environment(folder)) as server:
        asked = {"arguments": ["program"], "env": {}, "cwd": str(folder)}
        with (folder / "log").open("wb") as log:
            pid = server.fork(asked, [log.fileno()])
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)

        assert Forked(server, pid).poll() == 3
        assert not psutil.pid_exists(pid)


@linux
def test_all_forks_end_with_their_program_and_the_next_is_of_a_new_one(folder):
    with forking("mesh.wiring.forked", environment(folder)) as start:
        process = start(command(folder, "--wait"))
        begun(folder)
        program = psutil.Process(process.pid).parent()
        assert program is not None
        program.kill()
        wait_until(lambda: not psutil.pid_exists(process.pid))

        assert process.poll() == -signal.SIGKILL
        assert start(command(folder)).wait(60) == 3


@linux
def test_forks_end_with_whoever_has_them_made(folder):
    script = (
        "import sys, os; from pathlib import Path; from tests.unit.test_forked import *\n"
        "folder = Path(sys.argv[1])\n"
        "with forking('mesh.wiring.forked', environment(folder)) as start:\n"
        "    print(start(command(folder, '--wait')).pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as maker:
        assert maker.stdout is not None
        pid = int(maker.stdout.readline())
        begun(folder)
        maker.kill()

    wait_until(lambda: not psutil.pid_exists(pid))


@linux
def test_where_nothing_can_be_forked_each_imports_for_itself(folder):
    nowhere = "mesh.there_is_no_such_module"
    with (
        ForkServer(nowhere, environment(folder)) as server,
        pytest.raises(MeshError, match="fork"),
    ):
        server.fork({}, [])

    with forking(nowhere, environment(folder)) as start:
        process = start(command(folder))
        assert not isinstance(process, Forked)
        assert process.wait(60) == 3


def test_whoever_has_several_threads_is_not_forked(tmp_path):
    (tmp_path / "1").touch()
    check_alone(tmp_path)
    (tmp_path / "2").touch()

    with pytest.raises(SystemExit, match="of 2 threads"):
        check_alone(tmp_path)


@linux
def test_a_fork_that_has_used_duckdb_ends_as_it_should(start, folder):
    (folder / "program.py").write_text("import duckdb; kept = duckdb.connect()")

    assert start(command(folder)).wait(60) == 0


def test_elsewhere_each_imports_for_itself(folder):
    with forking("mesh.wiring.forked", {}, "darwin") as start:
        assert start is spawn
