"""Imports run one way, and the checker that says so finds what does not."""

from __future__ import annotations

import pytest

from tests.arrows import faults_of, modules, name_of


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_run_one_way(path):
    assert faults_of(name_of(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mesh.contract.model", "from mesh.backbone import wire"),
        ("mesh.contract.model", "def late():\n    import mesh.backbone.wire"),
        ("mesh.backbone.wire", "from mesh.product.storage import Storage"),
        ("mesh.product.runtime", "import mesh.control.supervisor"),
        ("mesh.product.runtime", "from mesh import cli"),
        ("mesh.audit.tree", "from mesh.ports.http import App"),
        ("mesh.observe.lag", "from mesh.cli.main import main"),
        ("mesh.home", "import mesh.backbone"),
        ("mesh.cli.main", "from products.call_center import anything"),
        ("mesh.product.runtime", "from company import plugin"),
        ("mesh.control.access", "import catalog.app"),
        ("mesh.brandnew.thing", ""),
        ("products.billing", "from products.call_center import calls"),
        ("products.billing.job", "import company.world"),
        ("products.billing.job", "from . import helper"),
        ("catalog.app", "import products.billing"),
        ("company.world", "import catalog"),
    ],
)
def test_an_import_against_the_arrows_is_found(module, source):
    assert faults_of(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mesh.contract.model", "from mesh.errors import MeshError"),
        ("mesh.backbone.wire", "from mesh.contract.types import avro_schema"),
        ("mesh.control.supervisor", "from mesh.product import runtime"),
        ("mesh.cli.main", "import mesh.observe.status"),
        ("products.billing.job", "from products.billing import rules\nimport mesh.product"),
        ("company.world", "from company.people import Person"),
        ("catalog.app", "import json, platform"),
    ],
)
def test_an_import_along_the_arrows_is_not_a_fault(module, source):
    assert faults_of(module, source) == []
