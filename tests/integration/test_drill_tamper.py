"""The drill `tamper`: whatever is tampered with is named, an erasure is not, and it can go red."""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import pytest

from mesh.audit.findings import Findings
from mesh.audit.verify import Verdict
from mesh.drills.bed import make_bed
from mesh.drills.cases import CASES
from mesh.drills.ground import Ground
from mesh.drills.kills import mesh_program
from mesh.drills.tamper import try_cases
from mesh.testing.messages import read_all
from tests.compaction import compact, eager
from tests.life import opened

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def ground(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tamper")
    bed = make_bed(
        folder,
        backbone.endpoint,
        backbone.admin,
        backbone.admin_mechanism,
        domain=f"d{secrets.token_hex(3)}",
    )
    found = Ground.make(bed, mesh_program())
    yield found
    found.product.kill()


def test_the_command_makes_a_mesh_of_its_own_and_leaves_nothing(tmp_path):
    (tmp_path / "tmp").mkdir()
    with opened(tmp_path / "home", TMPDIR=str(tmp_path / "tmp")) as mesh:
        drill = mesh.start("drill", "tamper", "--case", "entry", "--case", "erasure")
        code = drill.wait(200)

        assert code == 0, drill.said
        assert "tamper: the safeguard held in 2 cases" in drill.said
        assert mesh.is_gone(1)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_drill_goes_red_where_nothing_is_verified(ground):
    names = [name for name in CASES if name not in ("record", "foreign", "row")]
    blind = try_cases(
        ground,
        names,
        lambda _: None,
        lambda _: Verdict(entries=0, erased=0, findings=Findings()),
    )

    assert not blind["ok"]
    assert len(blind["missed"]) == len(names) - len(["untouched", "erasure"])


def test_what_kafka_has_compacted_is_not_missed(ground, backbone):
    topic = ground.bed.contract("totals").topic
    bench = SimpleNamespace(
        backbone=backbone, messages=lambda topic: read_all(ground.bed.client(), topic)
    )
    before = len(bench.messages(topic))
    with eager(bench):
        compact(bench, topic)
    ground.log_all(topic, before)

    assert len(bench.messages(topic)) < before
    assert try_cases(ground, ["untouched"], lambda _: None)["missed"] == []


@pytest.mark.parametrize("name", CASES)
def test_what_is_tampered_with_is_named_and_nothing_else_is(ground, name):
    result = try_cases(ground, [name], lambda _: None)

    assert result == {"drill": "tamper", "ok": True, "cases": 1, "missed": []}
