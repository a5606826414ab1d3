"""Tests of how a product's ports, contracts and queries are resolved."""

from __future__ import annotations

import shutil

import pytest

from mesh.contract.project import load_project
from mesh.errors import InvalidFile, WrongUse
from mesh.product.plan import plan_product, position_topic
from tests.repository import ROOT


@pytest.fixture
def root(tmp_path):
    """A copy of the project, to be edited."""
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_plan_has_each_port_with_its_contract_topic_and_query():
    plan = plan_product(load_project(ROOT), "call-center")

    (source,), (output, masked) = plan.inputs, plan.outputs
    assert (source.name, source.contract.id) == ("finished_calls", "call-center.finished-calls")
    assert source.rejected_topic == ("priv.customer-service.call-center.finished-calls.rejected.v1")
    assert (output.contract.id, output.source) == ("call-center.calls", source)
    assert (masked.contract.id, masked.source) == ("call-center.calls-masked", source)
    assert plan.outputs_of(source) == (output, masked)
    assert position_topic(plan.product) == "priv.customer-service.call-center.position.v1"


def test_a_storage_keeps_a_table_a_port():
    plan = plan_product(load_project(ROOT), "call-center")

    assert [(schema, contract.id) for schema, _, contract in plan.tables] == [
        ("input", "call-center.finished-calls"),
        ("main", "call-center.calls"),
        ("main", "call-center.calls-masked"),
    ]


def test_a_product_that_is_not_there_is_wrong_use():
    with pytest.raises(WrongUse, match="call-centre"):
        plan_product(load_project(ROOT), "call-centre")


def test_a_query_over_no_input_port_names_those_there_are(root):
    path = root / "products" / "call_center" / "calls.sql"
    path.write_text("select *, _cause from new_calls")

    with pytest.raises(InvalidFile) as found:
        plan_product(load_project(root), "call-center")

    (fault,) = found.value.faults
    assert fault.path == path
    assert fault.remedy == "read one of: new_finished_calls"


def test_a_query_that_is_not_a_map_is_a_fault_with_its_file(root):
    path = root / "products" / "call_center" / "calls.sql"
    path.write_text("select count(*) as duration_s, now() as at from new_finished_calls limit 1")

    with pytest.raises(InvalidFile) as found:
        plan_product(load_project(root), "call-center")

    assert {fault.path for fault in found.value.faults} == {path}
    assert len(found.value.faults) == 3
