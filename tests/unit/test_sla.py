"""Service levels as a contract declares them, in seconds and shares."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.contract.odps import load_product
from mesh.contract.sla import sla_of
from tests.repository import ROOT


@pytest.fixture(scope="module")
def product():
    """The call center."""
    return load_product(ROOT / "products" / "call_center")


@pytest.mark.parametrize(
    ("level", "seconds"),
    [
        ({"value": 1, "unit": "d"}, 86400.0),
        ({"value": "15", "unit": "minutes"}, 900.0),
        ({"value": 500, "unit": "ms"}, 0.5),
        ({"value": 2}, 172800.0),
        ({"value": 0, "unit": "s"}, None),
        ({"value": "soon", "unit": "s"}, None),
        ({"value": 1, "unit": "moon"}, None),
    ],
)
def test_a_service_level_is_read_in_seconds_or_not_at_all(product, level, seconds):
    contract = product.outputs[0].contract
    document = {"slaProperties": [{"property": "latency", **level}]}
    assert sla_of(replace(contract, document=document)).latency_s == seconds


def test_shares_are_percent_with_sensible_defaults(product):
    contract = product.outputs[0].contract
    assert sla_of(replace(contract, document={})).availability == 0.99
    levels = [{"property": "availability", "value": "99.5%"}, {"property": "errorRate", "value": 2}]
    found = sla_of(replace(contract, document={"slaProperties": levels}))
    assert (found.availability, found.error_rate) == (0.995, 0.02)
