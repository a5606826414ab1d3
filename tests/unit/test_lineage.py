"""Lineage as descriptors declare it."""

from __future__ import annotations

from mesh.contract.lineage import declared_edges
from mesh.contract.project import load_project
from tests.repository import ROOT


def test_every_declared_input_is_an_edge() -> None:
    found = {(each.source, each.target) for each in declared_edges(load_project(ROOT))}
    assert ("call-center.finished-calls", "call-center") in found
    assert ("contracts.contract-changes", "contracts") in found


def test_a_family_is_an_edge_for_each_relation_port() -> None:
    found = {
        each.source for each in declared_edges(load_project(ROOT)) if each.target == "key-ring"
    }
    assert "billing.billing-account-payer" in found
    assert "contracts.phone-number-contract" in found
