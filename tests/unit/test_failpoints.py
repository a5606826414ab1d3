"""Failpoints: nothing happens unless one is armed, and then exactly what was asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from mesh.errors import SettingsError
from mesh.product.failpoints import COMMIT, POINTS, arm, disarm, patience, reach
from mesh.wiring.supervised import inherited

LOOP = """
import sys
from mesh.product.failpoints import arm, reach
arm(sys.argv[1])
for number in range(5):
    print(number, flush=True)
    reach("committed", lambda: print("prepared", flush=True))
    reach("before-commit")
"""


@pytest.fixture(autouse=True)
def nothing_armed():
    yield
    disarm()


def loop(failpoint: str) -> subprocess.Popen[str]:
    """A process that reaches two points five times."""
    return subprocess.Popen(
        [sys.executable, "-c", LOOP, failpoint],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_unarmed_point_does_nothing():
    for point in POINTS:
        reach(point, lambda: pytest.fail("it is not to end here"))

    assert patience(COMMIT) == -1


def test_a_process_is_killed_the_time_it_was_asked_for_after_what_must_have_happened():
    process = loop("kill:committed:3")
    out, err = process.communicate(timeout=20)

    assert process.returncode == -signal.SIGKILL
    assert out.split() == ["0", "1", "2", "prepared"]
    assert err == "failpoint: kill at committed\n"


def test_without_a_count_it_is_the_first_time():
    process = loop("kill:before-commit")

    assert process.communicate(timeout=20)[0].split() == ["0"]


def test_a_frozen_process_goes_on_when_it_is_thawed():
    process = loop("freeze:before-commit:2")
    try:
        deadline = time.monotonic() + 20
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()

    assert process.returncode == 0
    assert out.split() == ["0", "1", "2", "3", "4"]


def test_every_nth_commit_is_hurried():
    arm(f"hurry:{COMMIT}:3")

    assert [patience(COMMIT) > 0 for _ in range(6)] == [False, False, True] * 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kill",
        "kill:nowhere",
        "kill:commit",
        "hurry:before-commit",
        "kill:committed:0",
        "kill:committed:x",
        "stop:committed",
    ],
)
def test_what_is_no_failpoint_is_refused_with_the_points_there_are(text):
    with pytest.raises(SettingsError, match=r"MESH_FAILPOINT: .* before-commit, committed"):
        arm(text)


def test_a_supervisor_does_not_hand_a_failpoint_down_to_every_product():
    assert inherited({"MESH_FAILPOINT": "kill:committed", "MESH_HOME": "here"}) == {
        "MESH_HOME": "here"
    }
