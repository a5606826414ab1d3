"""Fixtures of the integration tests: the workbench on which state ports are tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.testing import Backbone, Workbench
from tests.stats import open_stats


@pytest.fixture
def bench(backbone: Backbone, tmp_path: Path) -> Iterator[Workbench]:
    """A project with both products of state ports (`tests.stats`)."""
    with open_stats(backbone, tmp_path) as found:
        yield found
