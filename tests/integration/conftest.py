"""Fixtures of the integration tests: a workbench for state ports, a project of one product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.testing import Backbone, Workbench
from mesh.testing.copies import copy_project
from tests.life import ROOT
from tests.stats import open_stats


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
