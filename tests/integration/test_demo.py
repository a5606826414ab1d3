"""The demo: it holds, it cleans up, and meanwhile nobody opens another's storage."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import threading
from pathlib import Path

import pytest

from mesh.contract.project import load_project
from tests.life import ROOT, Mesh, opened

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(900)]

STEPS = 20


@pytest.fixture
def mesh(tmp_path):
    with opened(tmp_path / "home") as found:
        yield found


class Watch:
    """Looks again and again who has a storage open, by /proc, until the block ends."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seen: set[tuple[str, tuple[str, ...]]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._stop.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look_at(process)

    def _look_at(self, process: Path) -> None:
        for each in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(each.readlink())
                # Beside it lie signs and notes, which whoever asks for the state reads.
                if target.startswith(f"{self.home}/products/") and ".duckdb" in target:
                    product = target.split("/products/")[1].split("/")[0]
                    self.seen.add((product, (process / "comm").read_text().strip()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc, as Linux has it")
def test_a_demo_holds_alone_and_again_and_each_storage_is_open_in_its_own_process_only(mesh: Mesh):
    with Watch(mesh.home) as watch:
        first = mesh.run("demo", "--keep")
    pids = mesh.pids()
    again = mesh.run("demo")

    # The kernel keeps fifteen letters of a process's name.
    assert watch.seen == {(each, each[:15]) for each in load_project(ROOT).products}
    for said in (first, again):
        assert f"all {STEPS} steps hold" in said
        assert said.count("   ✓ ") == STEPS
        assert said.count("   $ mesh ") == STEPS
    assert "ran before this demo and goes on" in again
    # But for the product that the demo kills.
    assert {**mesh.pids(), "call-center": 0} == {**pids, "call-center": 0}
    mesh.run("down")
    assert mesh.home.exists()
    assert mesh.is_gone(1)


@pytest.mark.slow
def test_a_demo_that_fails_half_way_says_so_and_leaves_nothing(mesh: Mesh, tmp_path):
    root = tmp_path / "project"
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (root / "company" / "people.yaml", *(root / "company" / "queries").glob("*.sql")):
        path.write_text(re.sub(r"(name|owner): ada$", r"\1: adam", path.read_text(), flags=re.M))
    done = mesh.result("demo", MESH_PROJECT=str(root))

    assert done.returncode == 1
    assert done.stdout.count("   ✓ ") == 3
    assert "'ada'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert mesh.is_gone(1)
    assert not mesh.home.exists()


@pytest.mark.parametrize(("step", "number"), [("1. ", signal.SIGTERM), ("3. ", signal.SIGINT)])
def test_a_demo_that_is_interrupted_leaves_nothing(mesh: Mesh, step, number):
    demo = mesh.start("demo")
    demo.until_said(step)
    code = demo.end_by(number)

    assert code == (130 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in demo.said
    assert mesh.is_gone(2)
    assert not mesh.home.exists()
