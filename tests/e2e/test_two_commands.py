"""The README's commands set themselves up on a machine that has Python and git, and nothing else.

Each test begins with a fresh copy of the repository, in a folder with a space in its name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import pytest

from tests.repository import copy_to

pytestmark = [pytest.mark.slow, pytest.mark.network, pytest.mark.timeout(900)]

NOBODY = 65534
# What a person's shell has no need of; MESH_VENV would lead to the environment of these tests.
UNWANTED = ("MESH_VENV", "MESH_HOME", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_FIND_LINKS")


@pytest.fixture
def checkout():
    """A copy in a folder that other users can reach, which pytest's own cannot."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield copy_to(Path(folder) / "my mesh")


def start(checkout, *arguments, python=sys.executable, user=None, **environment):
    """Start `run` in *checkout* as *user* and return what it said."""
    clean = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return subprocess.run(
        [python, "run", *arguments],
        cwd=checkout,
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )


def expect_help(result):
    """Assert that the mesh itself answered."""
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Usage: " in result.stdout


def without_ensurepip(folder: Path) -> str:
    """Copy the Python that runs us, but for ensurepip and all packages, as Debian delivers it."""
    library = Path(sysconfig.get_path("stdlib"))
    unwanted = ("ensurepip", "site-packages", "dist-packages", "test", "__pycache__", "config-*")
    shutil.copytree(
        library,
        folder / sys.platlibdir / library.name,
        ignore=shutil.ignore_patterns(*unwanted),
        symlinks=True,
    )
    python = folder / "bin" / library.name
    python.parent.mkdir()
    shutil.copy2(Path(sys.executable).resolve(), python)
    return str(python)


def python_for_everybody() -> str:
    """Find a Python that a normal user can start: ours may lie in root's home."""
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        path = shutil.which(name, path="/usr/local/bin:/usr/bin")
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        if path and subprocess.run([path, "-c", check], check=False).returncode == 0:
            return path
    pytest.skip("needs Python 3.11 or newer in /usr/bin, for a normal user")


def test_a_fresh_copy_sets_itself_up_then_finds_it_done_then_adds_the_tools(checkout):
    """`./run mesh`, `./run setup` and `./run setup dev`, in this order, as a newcomer does."""
    expect_help(start(checkout, "mesh", "--help"))
    begin = time.monotonic()
    again = start(checkout, "setup")
    seconds = time.monotonic() - begin

    assert again.stderr == f"run: ready: {checkout}/.venv/bin/python\n"
    assert seconds < 1

    assert start(checkout, "setup", "dev").returncode == 0
    pytest_of_it = [checkout / ".venv" / "bin" / "python", "-m", "pytest", "--version"]
    assert subprocess.run(pytest_of_it, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: run as root")
def test_a_normal_user_sets_it_up(checkout):
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    home = checkout / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)

    python = python_for_everybody()
    expect_help(start(checkout, "mesh", "--help", python=python, user=NOBODY, HOME=str(home)))


def test_it_sets_itself_up_with_a_python_that_has_neither_ensurepip_nor_pip(checkout, tmp_path):
    bundled = Path(sysconfig.get_path("stdlib")) / "ensurepip" / "_bundled"
    if not any(bundled.glob("pip-*.whl")):
        pytest.skip("needs a wheel of pip: run with a Python that has ensurepip")
    python = without_ensurepip(tmp_path / "python")
    absent = "import importlib.util as u; print(u.find_spec('ensurepip'), u.find_spec('pip'))"
    printed = subprocess.run([python, "-c", absent], check=True, capture_output=True, text=True)

    assert printed.stdout == "None None\n"
    expect_help(start(checkout, "mesh", "--help", python=python, PIP_FIND_LINKS=str(bundled)))


@pytest.mark.long
def test_a_set_up_that_was_killed_is_made_anew(checkout):
    first = subprocess.Popen([sys.executable, "run", "setup"], cwd=checkout)
    while not any(checkout.glob(".venv/lib/python3*/site-packages/pip-*")):
        time.sleep(0.1)
        assert first.poll() is None
    first.kill()
    first.wait()

    expect_help(start(checkout, "mesh", "--help"))


@pytest.mark.long
def test_two_at_once_wait_for_each_other(checkout):
    command = [sys.executable, "run", "setup"]
    both = [
        subprocess.Popen(command, cwd=checkout, stderr=subprocess.PIPE, text=True) for _ in "ab"
    ]
    said = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting for it" in text for text in said) == 1
    assert sum("installing the project" in text for text in said) == 1
