"""A look at a product reads what others wrote: whatever they say, it is a look."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.looks import look
from mesh.contract.odps import load_product
from tests.repository import ROOT

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRODUCT = load_product(ROOT / "products" / "call_center")
GOOD = {
    "product": "call-center",
    "state": "running",
    "reason": "",
    "lag": 3,
    "freshness_s": 0.25,
    "last_arrival_at": "2026-06-01T11:59:00+00:00",
    "offsets": {"staging": {"0": 7, "1": 5}},
    "rows": {"calls": 11, "unheard-of": 1},
    "quarantine": [
        {"port": "calls", "rule": "key", "field": "", "count": 1},
        {"port": "calls", "rule": "type", "field": "queue", "count": 2},
    ],
}


def looked(answer, address="http://door"):
    def handle(request):
        assert request.url.path == "/observability"
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, content=json.dumps(answer))

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        return look(client, PRODUCT, address, NOW)


def test_a_look_has_what_the_product_says():
    found = looked(GOOD)
    seen = found.observed
    assert (seen.state, seen.lag, seen.freshness_s, seen.is_reached) == ("running", 3, 0.25, True)
    assert seen.rows == {"calls": 11}
    assert seen.quarantine == {"calls": 3}
    assert seen.last_arrival_at == datetime(2026, 6, 1, 11, 59, tzinfo=UTC)
    assert found.taken_in == 12


def test_deliveries_are_those_of_its_ports():
    told = [
        {"port": "calls", "at": "2026-05-02T00:00:00+00:00", "rows": 5},
        {"port": "calls", "at": "2026-05-01T00:00:00", "rows": 4},
        {"port": "other", "at": "2026-05-01T00:00:00+00:00", "rows": 4},
        {"port": "calls", "at": "yesterday", "rows": 4},
    ]
    found = looked({**GOOD, "deliveries": told})
    assert [(each.at.day, each.rows) for each in found.deliveries] == [(1, 4), (2, 5)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.ConnectError("refused"), "does not answer"),
        (httpx.ReadTimeout("late"), "does not answer"),
        (httpx.Response(500), "does not answer"),
        (httpx.Response(200, content=b"<html>"), "something else"),
        (httpx.Response(200, content=b"[" * 100_000), "something else"),
        (httpx.Response(200, content=b" " * (2 << 20)), "more than"),
        ([], "somebody else"),
        ({**GOOD, "product": "billing"}, "somebody else"),
    ],
)
def test_who_does_not_answer_or_is_somebody_else_is_absent(answer, why):
    seen = looked(answer).observed
    assert (seen.state, seen.is_reached) == ("absent", False)
    assert why in seen.reason


def test_a_product_without_an_address_is_absent():
    assert looked(GOOD, None).observed.state == "absent"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "deliveries"], ANYTHING)))
def test_whatever_a_product_says_is_a_look(document):
    found = looked({**document, "product": "call-center"})
    seen = found.observed
    assert seen.is_reached
    assert seen.lag is None or seen.lag >= 0
    assert len(seen.state) <= 40
    assert all(each.at.tzinfo for each in found.deliveries)
