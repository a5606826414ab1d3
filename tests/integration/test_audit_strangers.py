"""Strangers check the audit log: Go's signed notes and tiles, and transparency-dev's proofs."""

from __future__ import annotations

import base64
import json

import pytest

from mesh.audit.merkle import consistency_proof
from mesh.audit.tiles import nodes_of
from tests.audit import Log, columns, go_or_skip_reason, ran_stranger

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    reason = go_or_skip_reason()
    if reason is not None:
        pytest.skip(reason)
    return tmp_path_factory.mktemp("strangers") / "strangers"


@pytest.fixture(scope="module", params=[1, 255, 256, 700, 66_000])
def log(request):
    found = Log()
    found.add(columns(request.param))
    return found


@pytest.fixture
def written(log, tmp_path):
    log.write(tmp_path / "log")
    return tmp_path / "log"


def test_strangers_find_checkpoint_tiles_entries_and_proofs_in_order(program, log, written):
    size = log.size
    old = max(1, size // 3)
    consistency = {
        "old": log.checkpoint(old),
        "new": log.checkpoint(),
        "proof": [
            base64.b64encode(each).decode()
            for each in consistency_proof(nodes_of(log.read), old, size)
        ],
    }
    (written / "consistency.json").write_text(json.dumps(consistency))
    files = [written / "consistency.json"]
    for index in {0, size // 2, size - 1}:
        files.append(written / f"{index}.tlog-proof")
        files[-1].write_text(str(log.proof(index)))
    ran = ran_stranger(program, "check", written, log.key.log_key, *files)

    assert ran.stderr == ""
    assert ran.stdout.splitlines()[:3] == [
        f"checkpoint {size}", f"tiles {size}", f"entries {size}",
    ]  # fmt: skip
    assert ran.stdout.count("proof") == len(files) - 1
    assert f"consistency {old} {size}" in ran.stdout


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"])
def test_strangers_see_one_altered_byte(program, tmp_path, name):
    log = Log()
    log.add(columns(1))
    log.write(tmp_path / "log")
    path = tmp_path / "log" / name
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)

    assert ran_stranger(program, "check", tmp_path / "log", log.key.log_key).returncode == 1


def test_the_vectors_that_are_committed_are_the_strangers(program, request):
    path = request.config.rootpath / "tests/fixtures/audit-vectors.json"

    assert ran_stranger(program, "vectors").stdout == path.read_text()
