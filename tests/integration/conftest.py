"""Fixtures of the integration tests: a clean Kafka, a workbench, a project of one product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.contract.access import GRANTS_TOPIC
from mesh.contract.catalogue import OWN_TOPICS
from mesh.testing import Backbone, Workbench
from mesh.testing.copies import copy_project
from tests.life import ROOT, wait_until
from tests.stats import open_stats


@pytest.fixture(scope="module")
def backbone(backbone: Backbone, request: pytest.FixtureRequest) -> Backbone:
    """The session's, where the catalogue and owners of an earlier module have left nothing.

    A workbench has domains of its own, but what a catalogue accepted and saw, and who was granted
    what, is the mesh's. On somebody else's Kafka it stays.
    """
    admin = backbone.administrator()
    if request.config.getoption("--backbone") != "external":
        shared = {GRANTS_TOPIC, *OWN_TOPICS}
        for topic in shared & admin.topic_partitions().keys():
            admin.remove_topic(topic)
        wait_until(lambda: shared.isdisjoint(admin.topic_partitions()))
    return backbone


@pytest.fixture
def bench(backbone: Backbone, tmp_path: Path) -> Iterator[Workbench]:
    """A project with both products of state ports (`tests.stats`)."""
    with open_stats(backbone, tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def one_product(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project with the call centre alone: a mesh of it starts in half the time."""
    root = tmp_path_factory.mktemp("one-product") / "project"
    copy_project(ROOT, root, "small", ["call-center"])
    return str(root)
