"""Fixtures of all tests: the backbone of the session, and a workbench on it for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh.settings import Settings, load
from mesh.testing import Backbone, Workbench, embedded, external, open_workbench

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where Kafka and the registry of the integration tests come from."""
    parser.addoption(
        "--backbone",
        choices=("embedded", "containers", "external"),
        default="embedded",
        help="embedded: from the jars; containers: by Docker; external: by the MESH_ settings",
    )


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Every test starts without MESH_ settings of whoever runs it, except for the cache."""
    for name in list(os.environ):
        if name.startswith("MESH_") and name not in ("MESH_CACHE", "MESH_MAVEN_MIRROR"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def settings_of_session() -> Settings:
    """The settings as they were when the tests started."""
    return load()


@pytest.fixture(scope="session")
def backbone(
    request: pytest.FixtureRequest,
    settings_of_session: Settings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backbone]:
    """One Kafka and registry for all tests of the session."""
    where = request.config.getoption("--backbone")
    if where == "external":
        with external(settings_of_session) as found:
            yield found
    elif where == "embedded":
        with embedded(tmp_path_factory.mktemp("backbone"), settings_of_session) as found:
            yield found
    else:
        with containers_or_skip() as found:
            yield found


@contextmanager
def containers_or_skip() -> Iterator[Backbone]:
    """Kafka and registry in containers, where Docker is."""
    from mesh.testing.containers import containers, why_no_docker

    reason = why_no_docker()
    if reason is not None:
        pytest.skip(f"{reason}: start one, or use --backbone=embedded")
    with containers() as found:
        yield found


@pytest.fixture
def workbench(backbone: Backbone, tmp_path: Path) -> Iterator[Workbench]:
    """A project of the test's own, of call-center alone: files, topics, secrets, storage."""
    with open_workbench(backbone, source=ROOT, folder=tmp_path, products=["call-center"]) as bench:
        yield bench
