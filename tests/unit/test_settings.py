"""Settings: from the environment, when asked for, each documented and each fault named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mesh.errors import SettingsError
from mesh.settings import Settings, load
from tests.life import ROOT


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_documented_by_its_variable(name):
    assert f"MESH_{name.upper()}`" in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MESH_KAFKA_PORT", "x"),
        ("MESH_KAFKA_PORT", "70000"),
        ("MESH_REGISTRY_PORT", "-1"),
        ("MESH_HTTP_PORT", "1.5"),
        ("MESH_OFFLINE", "perhaps"),
        ("MESH_SECURITY_PROTOCOL", "TLS"),
        ("MESH_SASL_MECHANISM", "GSSAPI"),
        ("MESH_REPLICATION_FACTOR", "0"),
        ("MESH_SERVICES", "access=http://127.0.0.1:1"),
        ("MESH_SERVICES", '{"access": 1}'),
        ("MESH_SSL_CA_LOCATION", "/nowhere/ca.pem"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load()

    assert f"{name}: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_faults_are_named_at_once(monkeypatch):
    monkeypatch.setenv("MESH_KAFKA_PORT", "x")
    monkeypatch.setenv("MESH_OFFLINE", "perhaps")

    with pytest.raises(SettingsError, match=r"MESH_OFFLINE: .*; MESH_KAFKA_PORT: "):
        load()


@pytest.mark.parametrize("name", ["MESH_SASL_PASSWORD", "MESH_REGISTRY_PASSWORD"])
def test_a_password_is_in_no_representation(monkeypatch, name):
    monkeypatch.setenv(name, "hunter2")
    settings = load()

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_a_password_is_in_no_message_about_another_setting(monkeypatch):
    monkeypatch.setenv("MESH_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("MESH_KAFKA_PORT", "hunter3")
    with pytest.raises(SettingsError) as raised:
        load()

    assert "hunter" not in str(raised.value)


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("MESH_BOOTSTRAP_SERVERS", "")
    monkeypatch.setenv("MESH_HOME", "")

    assert not load().is_external
    assert load().home_path == load().project / ".mesh"


def test_a_relative_path_is_meant_from_where_it_was_given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("MESH_HOME", "MESH_CACHE", "MESH_PROJECT"):
        monkeypatch.setenv(name, "some/where")

    here = str(tmp_path / "some" / "where")
    assert load().paths() == {"MESH_PROJECT": here, "MESH_HOME": here, "MESH_CACHE": here}


def test_the_project_is_the_nearest_one_above(monkeypatch, tmp_path):
    (tmp_path / "products" / "a").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path / "products" / "a")
    assert load().project == tmp_path

    monkeypatch.chdir(tmp_path.parent)
    assert load().project == ROOT


def test_a_folder_that_has_been_removed_under_us_is_told(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(SettingsError, match="has been removed"):
        load()


POISON = """
import importlib, os, pkgutil, socket
class Environment(type(os.environ)):
    def __getitem__(self, key):
        assert not str(key).startswith("MESH_"), f"{key} was read at import"
        return super().__getitem__(key)
    def __contains__(self, key):
        return self[key] is not None if str(key).startswith("MESH_") else super().__contains__(key)
    def __iter__(self):
        raise AssertionError("the environment was listed at import")
def refuse(*arguments, **keywords):
    raise AssertionError("something connects at import")
import mesh, catalog, company, products
socket.socket.connect = socket.socket.bind = refuse
old = os.environ
os.environ = Environment(old._data, old.encodekey, old.decodekey, old.encodevalue, old.decodevalue)
os.getenv = lambda key, default=None: os.environ.get(key, default)
count = 0
for package in (mesh, catalog, company, products):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name.endswith(("__main__", "mesh.testing.containers")):
            continue
        importlib.import_module(module.name)
        count += 1
print(count)
"""


def test_nothing_connects_or_reads_a_setting_at_import():
    done = subprocess.run(
        [sys.executable, "-c", POISON], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert int(done.stdout) > 80


def test_a_file_that_keys_are_in_must_be_there(monkeypatch, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("")
    monkeypatch.setenv("MESH_SSL_CA_LOCATION", str(path))

    assert load().ssl_ca_location == Path(path)
