"""What keeps a mesh from starting: each is told in one line that says what to do."""

from __future__ import annotations

import os
import shutil
import socket

import pytest

from mesh.backbone.process import free_port
from tests.life import ROOT, Mesh, mounted, opened, refusal

# They end before a Kafka is there, except for those that are marked.


@pytest.fixture
def mesh(tmp_path):
    with opened(tmp_path / "home") as found:
        yield found


@pytest.fixture
def project(tmp_path):
    """A copy of the products, to be spoiled."""
    root = tmp_path / "project"
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@pytest.fixture
def small_disk(tmp_path):
    """A place of a few megabytes, of its own."""
    yield from mounted(tmp_path, "size=8m")


@pytest.fixture
def read_only_disk(tmp_path):
    yield from mounted(tmp_path, "size=8m,ro")


@pytest.mark.parametrize("setting", ["MESH_KAFKA_PORT", "MESH_REGISTRY_PORT"])
def test_a_port_in_use_is_named_with_who_has_it_and_what_to_set(mesh: Mesh, setting):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        said = refusal(mesh, **{setting: str(port)})

    assert f"port {port} is in use by" in said
    assert f"(process {os.getpid()})" in said
    assert f"set {setting}" in said


def test_without_network_and_cache_it_says_what_is_missing_and_where(mesh: Mesh, tmp_path):
    said = refusal(mesh, MESH_OFFLINE="true", MESH_CACHE=str(tmp_path / "empty"))

    assert "offline was asked for" in said
    assert str(tmp_path / "empty") in said


def test_a_mirror_that_does_not_answer_is_told_with_the_setting(mesh: Mesh, tmp_path):
    mirror = f"http://127.0.0.1:{free_port()}/"
    said = refusal(mesh, MESH_MAVEN_MIRROR=mirror, MESH_CACHE=str(tmp_path / "empty"))

    assert "refused" in said
    assert "MESH_MAVEN_MIRROR" in said


def test_a_damaged_jar_is_named_and_not_run(mesh: Mesh, tmp_path, settings_of_session):
    cache = tmp_path / "cache"
    shutil.copytree(settings_of_session.cache, cache, copy_function=link)
    jar = next(cache.rglob("kafka-clients-*.jar"))
    content = jar.read_bytes()
    jar.unlink()  # the link, not the jar that others use
    jar.write_bytes(content[:1000])
    said = refusal(mesh, MESH_OFFLINE="true", MESH_CACHE=str(cache))

    assert "org.apache.kafka:kafka-clients:4.4.0" in said


def link(source: str, target: str) -> str:
    """Copy at no cost, where both are on one disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def test_a_file_in_the_place_of_the_state_folder_is_named(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    with opened(tmp_path / "home") as mesh:
        said = refusal(mesh)
        assert f"the state folder cannot be written at {tmp_path / 'home'}" in said
        assert "MESH_HOME" in said
        assert mesh.status()["state"] == "stopped"


def test_a_state_folder_that_is_read_only_is_named(read_only_disk):
    with opened(read_only_disk / "home") as mesh:
        said = refusal(mesh)

    assert "Read-only file system" in said
    assert "MESH_HOME" in said


def test_a_state_folder_that_is_full_is_named(small_disk):
    with opened(small_disk / "home") as mesh:
        said = refusal(mesh)

    assert "is full: " in said
    assert "MESH_HOME" in said


@pytest.mark.parametrize("version", ["2", "1000", "x", ""])
def test_a_state_folder_of_a_newer_version_is_left_alone(mesh: Mesh, version):
    mesh.home.mkdir()
    (mesh.home / "version").write_text(version)
    said = refusal(mesh)

    assert "was written by a newer mesh" in said
    assert [each.name for each in mesh.home.iterdir()] == ["version"]
    assert refusal(mesh, "status") == said


def test_a_malformed_descriptor_is_named_with_its_line_before_anything_starts(mesh, project):
    descriptor = project / "products" / "call_center" / "product.yaml"
    text = descriptor.read_text()
    descriptor.write_text(text.replace("inputPorts:", "inputPorts: [", 1))
    said = refusal(mesh, MESH_PROJECT=str(project))

    assert f"{descriptor}:" in said or "product.yaml:" in said


def test_every_fault_of_a_project_is_told_at_once(mesh: Mesh, project):
    contract = project / "products" / "call_center" / "contracts" / "calls.odcs.yaml"
    text = contract.read_text()
    assert text.count("logicalType: integer") == 1
    contract.write_text(text.replace("logicalType: integer", "logicalType: intger"))
    (project / "company" / "people.yaml").write_text("people: 7\n")
    done = mesh.result("up", MESH_PROJECT=str(project))

    assert done.returncode == 1
    assert "calls.odcs.yaml:" in done.stderr
    assert "people.yaml:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("folders", [(), ("products",)])
def test_a_project_without_products_says_where_it_looked(mesh: Mesh, tmp_path, folders):
    root = tmp_path / "elsewhere"
    root.mkdir()
    for name in folders:
        (root / name).mkdir()
    said = refusal(mesh, MESH_PROJECT=str(root))

    assert f"there is no product in {root / 'products'}" in said
    assert "MESH_PROJECT" in said


@pytest.mark.broker
@pytest.mark.slow
def test_two_starts_at_once_make_one_mesh(mesh: Mesh, one_product):
    mesh.settings = {"MESH_PROJECT": one_product}
    both = [mesh.start("up"), mesh.start("up")]
    codes = sorted(each.wait() for each in both)

    assert codes in ([0, 0], [0, 1]), [each.said for each in both]
    assert any("the mesh is ready" in each.said for each in both)
    assert any("already runs" in each.said for each in both)
    assert {each["state"] for each in mesh.status()["services"]} == {"running"}
    mesh.run("down")
    assert mesh.is_gone(1)
