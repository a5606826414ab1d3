"""The supervisor of a mesh whose folder somebody removes."""

from __future__ import annotations

import os
import shutil
import threading

from mesh.control.supervisor import Supervisor
from mesh.home import Home
from tests.unit.test_supervisor import service


def test_whoever_removes_the_home_ends_the_mesh_and_what_is_there_then_stays(tmp_path):
    home = Home.open(tmp_path / "home")
    lock = home.run / "mesh.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    supervisor = Supervisor(home=home, pid=os.getpid(), lock=lock)
    running = service(supervisor, "exec sleep 60")
    supervisor.start([running], 10)

    def remove() -> None:
        shutil.rmtree(home.path)
        home.run.mkdir(parents=True)
        for name in ("mesh.lock", "mesh.json"):
            (home.run / name).write_text("another's")

    threading.Timer(0.5, remove).start()
    supervisor.watch()
    supervisor.stop()
    supervisor.end()

    assert running.has_died()
    assert (home.run / "mesh.json").read_text() == "another's"
