"""Tests of rows that our own producer refuses: with the reason, and the rest go on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mesh.backbone.endpoint import Principal
from mesh.errors import Refused
from mesh.product import relay
from mesh.product.plan import position_topic
from mesh.product.relay import Relay
from tests.stream import (
    CALLS,
    PRODUCT,
    calls,
    published_ids,
    quality,
    refused,
    run,
    stored_ids,
)

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.broker


def edit(bench, name: str, old: str, new: str) -> None:
    """Change a file of the call center."""
    path = bench.root / "products" / "call_center" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_our_own_row_that_breaks_its_contract_is_refused_and_the_rest_go_on(workbench):
    edit(workbench, "contracts/calls.odcs.yaml", "minimum: 0", "minimum: 60")
    workbench.provision()
    fed = calls(40).to_pylist()
    short = {row["call_id"] for row in fed if row["ended_at"] - row["started_at"] < MINUTE}
    assert 0 < len(short) < 40
    workbench.feed(PRODUCT, calls(40))

    run(workbench, 40)

    assert set(published_ids(workbench)) == {row["call_id"] for row in fed} - short
    assert len(stored_ids(workbench)) == 40 - len(short)
    kept = refused(workbench)
    assert {json.loads(each["value"])["call_id"] for each in kept} == short
    assert {(each["field"], each["rule"], each["port"]) for each in kept} == {
        ("duration_s", "duration_s.minimum", CALLS)
    }
    # The port that masks the other refuses it, too.
    assert quality(workbench) == {"duration_s.minimum": 2 * len(short)}


def test_a_row_for_which_the_query_fails_is_refused_and_the_rest_go_on(workbench):
    number = "cast(cast(site as integer) as varchar)"
    failing = f"        case when queue = 'billing' then {number} else site end as site,"
    edit(workbench, "calls.sql", "        site,", failing)
    fed = calls(40).to_pylist()
    billing = {row["call_id"] for row in fed if row["queue"] == "billing"}
    assert 0 < len(billing) < 40
    workbench.feed(PRODUCT, calls(40))

    run(workbench, 40)

    assert set(published_ids(workbench)) == {row["call_id"] for row in fed} - billing
    kept = refused(workbench)
    assert {json.loads(each["value"])["call_id"] for each in kept} == billing
    assert {each["rule"] for each in kept} == {"sql"}
    assert all("Could not convert" in each["reason"] for each in kept)


def test_a_login_that_kafka_refuses_is_not_taken_for_a_kafka_that_is_late(workbench, monkeypatch):
    monkeypatch.setattr(relay, "INIT_TIMEOUT_S", 1.0)
    stranger = Relay(
        workbench.backbone.endpoint,
        Principal(name=PRODUCT, secret="wrong"),
        position_topic=position_topic(workbench.project().product(PRODUCT)),
        source="/customer-service/call-center",
    )

    with pytest.raises(Refused, match=r"(?i)authentication") as found:
        stranger.open()

    assert "wrong" not in str(found.value)
    stranger.close()
