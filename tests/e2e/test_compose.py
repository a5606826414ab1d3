"""The mesh in containers, as a person would use it: up, feed, read, restart, down."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest

from tests.compose import Compose, composed, why_no_compose
from tests.life import wait_until
from tests.repository import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1500)]

HOST = {
    line.split("=", 1)[0]: line.split("=", 1)[1].strip("'")
    for line in (ROOT / "containers" / "host.env").read_text().splitlines()
    if line and not line.startswith("#")
}


@pytest.fixture(scope="module")
def mesh_in_containers():
    reason = why_no_compose()
    if reason is not None:
        pytest.skip(f"{reason}: start one to run the compose tests")
    with composed() as compose:
        yield compose


@pytest.fixture
def host(mesh_in_containers: Compose, tmp_path):
    """The command on the host, with the settings and secrets that the page gives it."""
    environment = {**os.environ, **HOST, "MESH_HOME": str(tmp_path / "host")}
    secrets = mesh_in_containers.run("run", "--rm", "-T", "export")

    def mesh(*arguments: str, given: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mesh", *arguments],
            cwd=ROOT,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    mesh("secrets", "import", given=secrets)
    return mesh


def rows(mesh) -> int:
    services = json.loads(mesh("status", "--json"))["services"]
    return next(each["rows"]["calls"] for each in services if each["name"] == "call-center")


def wait_for(mesh, count: int) -> None:
    subprocess.run(["sleep", "0.5"], check=True)
    for _ in range(120):
        if rows(mesh) >= count:
            return
        subprocess.run(["sleep", "0.5"], check=True)
    raise AssertionError(f"{rows(mesh)} of {count} rows came")


def test_every_service_is_healthy_and_every_one_shot_has_ended_well(mesh_in_containers):
    states = mesh_in_containers.states()

    assert states == {
        "secrets": "exited",
        "provision": "exited",
        "kafka": "healthy",
        "registry": "healthy",
        "access": "healthy",
        "catalogue": "healthy",
        "audit": "healthy",
        "sql": "healthy",
        "joining": "healthy",
        "call-center": "healthy",
        "contracts": "healthy",
        "billing": "healthy",
        "key-ring": "healthy",
        "device-plans": "healthy",
        "payment-risk": "healthy",
        "customer-profile": "healthy",
        "network-usage": "healthy",
        "reports": "healthy",
    }


def test_calls_are_fed_and_read_from_the_host(mesh_in_containers, host):
    fed = mesh_in_containers.run("run", "--rm", "feed", "--calls", "500", "--json")
    wait_for(host, 500)
    read = json.loads(host("read", "calls", "--limit", "3", "--as", "ada", "--json"))

    assert json.loads(fed)["count_bad"] == 0
    assert len(read["rows"]) == 3


def test_the_catalogue_shows_sample_rows_and_a_rung(mesh_in_containers, host):
    """It asks by the names of containers, with a token: their doors are not on loopback."""
    catalogue = json.loads(HOST["MESH_SERVICES"])["catalogue"]

    def is_seen() -> bool:
        found = httpx.get(f"{catalogue}/products/call-center.json", timeout=10).json()
        sample = found["ports"][0]["sample"]
        rungs = [line.split()[:3] for line in host("ladder").splitlines()]
        return bool(sample and sample["rows"]) and ["call-center", "dump", "running"] in rungs

    wait_until(is_seen)


def test_the_crm_and_invoicing_feed_their_products_too(mesh_in_containers, host):
    for product in ("contracts", "billing"):
        fed = mesh_in_containers.run("run", "--rm", f"feed-{product}", "--records", "500", "--json")
        assert json.loads(fed)["count_new"] == 500


def test_a_day_of_files_is_published_and_asked_in_sql(mesh_in_containers, host):
    mesh_in_containers.run("run", "--rm", "feed-network-usage", "--records", "50000", "--json")
    run = ("run-batch", "network-usage", "--as-of", "2026-01-01", "--json")
    (found,) = json.loads(mesh_in_containers.run("run", "--rm", *run))["published"]
    query = "select count(*) from network.network_usage.usage"

    asked = json.loads(host("sql", query, "--as", "ada", "--json"))
    assert asked["rows"] == [[found["rows"]]]


@pytest.mark.parametrize(
    "service",
    [
        "kafka",
        "call-center",
        pytest.param("registry", marks=pytest.mark.long),
        pytest.param("access", marks=pytest.mark.long),
    ],
)
def test_the_restart_of_a_container_loses_nothing(mesh_in_containers, host, service):
    before = rows(host)
    mesh_in_containers.run("restart", service)
    mesh_in_containers.run("up", "--wait")
    mesh_in_containers.run("run", "--rm", "feed", "--calls", str(before + 100), "--json")
    wait_for(host, before + 100)

    assert rows(host) == before + 100
    assert json.loads(host("read", "calls", "--limit", "1", "--json"))["rows"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("./run mesh status", "call-center"),
        ("./run mesh read calls --limit 3", "phone_number"),
        ("./run mesh demo --backbone external", "steps hold"),
    ],
)
def test_a_command_of_the_page_holds_against_the_containers(host, command, says):
    assert says in host(*command.split()[2:])


def test_a_container_sees_no_secret_but_its_own(mesh_in_containers):
    seen = mesh_in_containers.run(
        "exec", "-T", "call-center", "sh", "-c", "find /mesh -type f; env; id -u"
    )

    assert "/mesh/principals/call-center/secret" in seen
    assert "/mesh/principals/telephony" not in seen
    assert "/mesh/access/" not in seen
    assert "PASSWORD" not in seen
    assert seen.splitlines()[-1] != "0"


def test_no_secret_stands_in_what_docker_knows_of_the_containers(mesh_in_containers):
    secrets = json.loads(mesh_in_containers.run("run", "--rm", "-T", "export")).values()
    ids = mesh_in_containers.run("ps", "-aq").split()
    known = subprocess.run(
        ["docker", "inspect", *ids], capture_output=True, text=True, check=True
    ).stdout
    logs = mesh_in_containers.run("logs", "--no-color")

    assert [secret for secret in secrets if secret in known + logs] == []


def test_ports_are_published_on_loopback_only(mesh_in_containers):
    lines = mesh_in_containers.run("ps", "--format", "json").splitlines()
    published = [each for line in lines for each in json.loads(line)["Publishers"] or []]

    assert {each["URL"] for each in published if each["PublishedPort"]} == {"127.0.0.1"}


def test_down_leaves_nothing():
    reason = why_no_compose()
    if reason is not None:
        pytest.skip(reason)
    compose = Compose(("docker-compose.yml",), project="mesh-test-empty")
    compose.run("create")
    compose.run("down", "-v")
    left = subprocess.run(
        [
            "docker",
            "volume",
            "ls",
            "-q",
            "--filter",
            "label=com.docker.compose.project=mesh-test-empty",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert left == ""
