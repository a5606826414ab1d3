"""One supervised process: what it says of how it ended."""

from __future__ import annotations

import os
import signal

import pytest

from mesh.backbone.process import Command
from mesh.control.service import Service


def service(folder, script):
    """A service that runs a line of shell."""
    command = Command(
        argv=("/bin/sh", "-c", script),
        env={"PATH": os.defpath},
        cwd=folder,
        log=folder / "it.log",
    )
    return Service(name="it", kind="product", command=command, is_ready=lambda: True)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("one\ntwo\n", "two"),
        ("mesh: why\n", "why"),
        ("x ERROR broken\njava.io.IOException: full\n\tat java.base\n\tat x\n", "java.io.IO"),
        ("Traceback:\n  File x\nValueError: no\nWARNING: never mind\n", "ValueError: no"),
        ("main ERROR Log4j API could not find a logging provider.\nlast\n", "last"),
        ("", "it said nothing"),
    ],
)
def test_the_last_words_are_those_that_say_what_happened(tmp_path, log, said):
    (tmp_path / "text").write_text(log)
    (tmp_path / "it.log").write_text("mesh: what it said last time\n")
    it = service(tmp_path, "cat text; exit 1")
    it.start()
    it.process.wait()

    assert it.why().startswith(f"exit 1: {said}")


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGRTMIN + 3, "signal ")]
)
def test_a_signal_is_told_by_its_name_and_not_by_old_words(tmp_path, number, said):
    it = service(tmp_path, "echo all is well; exec sleep 60")
    it.start()
    os.kill(it.process.pid, number)
    it.process.wait()

    assert it.why().startswith(f"killed by {said}")
    assert "well" not in it.why()


def test_a_service_that_was_never_started_has_no_process(tmp_path):
    it = service(tmp_path, "")
    it.terminate()
    it.wait(0)

    assert not it.has_died()
    assert it.describe()["pid"] is None
