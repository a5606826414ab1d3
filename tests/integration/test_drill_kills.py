"""The drill `kills`: it holds, leaves nothing, and goes red where a safeguard is switched off."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from functools import partial

import pytest

from mesh.backbone.admin import Right
from mesh.control.principals import rights_of
from mesh.drills.bed import PRODUCT, make_bed
from mesh.drills.kills import Drill, Scale
from mesh.drills.steps import Step, kill_at, seem_dead
from mesh.product.failpoints import POINTS
from mesh.product.plan import position_topic
from tests.life import opened
from tests.unsafe import SCRIPT

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FAULTS = ("lost", "doubled", "out_of_order", "wrong", "seen_otherwise")


@pytest.fixture
def mesh(tmp_path):
    (tmp_path / "tmp").mkdir()
    with opened(tmp_path / "home", TMPDIR=str(tmp_path / "tmp")) as found:
        yield found


def run_drill(mesh, *options: str, timeout_s: float = 400):
    """Run the drill to its end on a mesh of its own; what it says in JSON."""
    drill = mesh.start("drill", "kills", "--json", *options)
    try:
        code = drill.wait(timeout_s)
    except subprocess.TimeoutExpired:
        drill.end_by(signal.SIGTERM)
        pytest.fail(drill.said)
    assert code == 0, drill.said
    return json.loads(drill.said[drill.said.index("\n{") :])


def assert_holds(mesh, result, kills: int) -> None:
    """Nothing was lost or doubled, everything was tried, and nothing is left."""
    assert result["ok"], result
    assert [result[each] for each in FAULTS] == [0] * len(FAULTS)
    assert result["kills"] == kills
    assert set(result["failpoints"]) == set(POINTS)
    assert min(result["failpoints"].values()) >= 1
    assert mesh.is_gone(1)
    assert not mesh.home.exists()
    assert list((mesh.home.parent / "tmp").iterdir()) == []


@pytest.mark.timeout(500)
def test_nothing_is_lost_or_doubled_whatever_dies(mesh):
    result = run_drill(mesh, "--kills", "1")

    assert_holds(mesh, result, 1)
    for each in ("broker_kills", "frozen", "slowed", "timeouts", "zombies"):
        assert result[each] == 1, each


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled_by_thirty_kills_and_all_the_rest(mesh):
    result = run_drill(mesh, "--kills", "30", timeout_s=1700)

    assert_holds(mesh, result, 30)
    assert result["broker_kills"] >= 5
    assert result["frozen"] >= 5
    assert result["timeouts"] >= 30
    assert result["zombies"] >= 2


def test_a_drill_that_is_interrupted_leaves_nothing(mesh):
    drill = mesh.start("drill", "kills")
    drill.until_said("2 of ")

    assert drill.end_by(signal.SIGINT) == 130
    assert "Traceback" not in drill.said
    assert mesh.is_gone(2)
    assert list((mesh.home.parent / "tmp").iterdir()) == []


# Without a safeguard.


@pytest.fixture
def bed(backbone, tmp_path):
    found = make_bed(
        tmp_path,
        backbone.endpoint,
        backbone.admin,
        backbone.admin_mechanism,
        domain=f"d{secrets.token_hex(3)}",
    )
    allow_other_ids(backbone, found)
    return found


def allow_other_ids(backbone, bed) -> None:
    """Let the product use the transactional ids of what runs without fencing."""
    own = position_topic(bed.project.product(PRODUCT))
    rights = {
        Right(principal=PRODUCT, operation=operation, kind="transaction", name=f"{own}.{home}")
        for operation in ("WRITE", "DESCRIBE")
        for home in ("home", "home-1")
    }
    backbone.administrator().settle_rights(rights | rights_of(bed.project), [PRODUCT])


def drill_without(safeguard: str, bed, act) -> dict[str, object]:
    """The verdict of one step, with a product that lacks a safeguard."""
    program = (sys.executable, SCRIPT, safeguard)
    drill = Drill(bed, Scale(rate=300), say=lambda _: None, program=program)
    return drill.run([Step(title="", act=act)])


@pytest.mark.parametrize(
    ("safeguard", "act"),
    [
        ("fencing", seem_dead),
        ("position", partial(kill_at, "committed")),
        ("one-transaction", partial(kill_at, "before-commit")),
    ],
)
def test_the_drill_goes_red_without(safeguard, act, bed):
    result = drill_without(safeguard, bed, act)

    assert not result["ok"]
    assert result["doubled"] > 0
    assert result["stuck"] == ""
