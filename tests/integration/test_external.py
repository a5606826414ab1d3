"""A mesh on somebody else's Kafka and registry, by settings alone."""

from __future__ import annotations

import signal

import pytest

from mesh.backbone.process import free_port
from tests.life import Mesh, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def mesh(backbone, workbench):
    """A mesh on the session's Kafka, with topics of its own."""
    settings = {**backbone.environment(), "MESH_PROJECT": str(workbench.root)}
    with opened(workbench.home.path, **settings) as found:
        yield found


def start_in_vain(mesh: Mesh, **settings: str) -> str:
    """Start, and return the one line that says why it did not."""
    done = mesh.result("up", **settings)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert mesh.is_gone(1)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert len(lines) == 1
    return lines[0]


def test_it_starts_is_fed_is_read_and_stops_and_the_kafka_stays(mesh: Mesh, backbone):
    mesh.run("up")

    assert list(mesh.pids()) == ["access", "audit", "sql", "catalogue", "call-center"]
    mesh.run("feed", "call-center", "--calls", "200")
    wait_until(lambda: mesh.has_calls(200))
    assert len(mesh.run("read", "calls", "--limit", "5").splitlines()) == 6
    assert '"ok": true' in mesh.run("drill", "foreign-write", "--json")
    mesh.run("down")
    assert mesh.is_gone(1)
    assert backbone.administrator().topic_partitions()


def test_a_product_runs_alone_in_the_foreground_and_ends_with_ctrl_c(mesh: Mesh):
    product = mesh.start("run", "call-center")
    product.until_said("running")
    mesh.run("feed", "call-center", "--calls", "100")
    held = mesh.run("run", "call-center", code=1)

    assert f"already runs (pid {product.process.pid} has its storage open)" in held
    assert product.end_by(signal.SIGINT) == 0
    assert product.said.endswith("call-center stopped\n")
    assert "is not running" in mesh.run("read", "calls", code=1)


def test_the_administrators_password_is_not_handed_on(mesh: Mesh, backbone):
    mesh.run("up")
    supervisor, *others = sorted(mesh.processes(), key=lambda each: each.create_time())

    assert supervisor.environ()["MESH_SASL_PASSWORD"] == backbone.admin.secret
    # What the others are forked from, four services and a product.
    assert len(others) == 6
    for each in others:
        assert backbone.admin.secret not in each.environ().values()


def test_a_kafka_that_does_not_answer_is_named_with_its_address(mesh: Mesh):
    address = f"127.0.0.1:{free_port()}"
    said = start_in_vain(mesh, MESH_BOOTSTRAP_SERVERS=address)

    assert f"Kafka does not answer at {address}" in said
    assert "refused" in said
    assert "MESH_BOOTSTRAP_SERVERS" in said


def test_a_registry_that_does_not_answer_is_named_with_its_address(mesh: Mesh):
    address = f"http://127.0.0.1:{free_port()}"
    said = start_in_vain(mesh, MESH_REGISTRY_URL=address)

    assert f"the schema registry does not answer at {address}" in said


def test_a_wrong_password_is_refused_at_once_and_not_shown(mesh: Mesh):
    said = start_in_vain(mesh, MESH_SASL_PASSWORD="wrong-and-secret")

    assert "Kafka refused the administrator 'admin'" in said
    assert "MESH_SASL_PASSWORD" in said
    assert "wrong-and-secret" not in said


@pytest.mark.slow
def test_encryption_towards_a_kafka_that_has_none_says_so(mesh: Mesh):
    said = start_in_vain(mesh, MESH_SECURITY_PROTOCOL="SASL_SSL")

    assert "SSL handshake failed" in said
    assert "MESH_SECURITY_PROTOCOL" in said


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("MESH_REGISTRY_URL", "MESH_REGISTRY_URL is not"),
        ("MESH_SASL_USERNAME", "set MESH_SASL_USERNAME and MESH_SASL_PASSWORD"),
        ("MESH_SASL_PASSWORD", "'admin'"),
    ],
)
def test_a_setting_that_is_missing_is_named(mesh: Mesh, missing, said):
    assert said in start_in_vain(mesh, **{missing: ""})


@pytest.mark.parametrize("command", [("run", "call-center"), ("feed", "call-center")])
def test_commands_on_a_kafka_without_a_registry_say_which_setting_is_missing(mesh, command):
    said = mesh.run(*command, code=1, MESH_REGISTRY_URL="")

    assert "MESH_REGISTRY_URL" in said
    assert said.splitlines()[-1].startswith("mesh: ")


def test_a_start_that_waits_for_a_kafka_in_vain_ends_at_ctrl_c(mesh: Mesh):
    up = mesh.start("up", MESH_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    up.until_said("reading products")

    assert up.end_by(signal.SIGINT, 10) == 130
    assert mesh.is_gone(3)
