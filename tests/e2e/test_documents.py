"""Every walkthrough does what it says, number by number, against a real mesh."""

from __future__ import annotations

import pytest

from tests.documents import run_document
from tests.repository import ROOT

WALKTHROUGHS = sorted((ROOT / "walkthroughs").glob("*.md"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", WALKTHROUGHS, ids=lambda path: path.name)
def test_a_walkthrough_prints_what_it_says(path, tmp_path):
    assert run_document(path, tmp_path) > 0
