"""A product's sign of life in Kafka: one of two lives, and a late answer is nobody's life."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.admin import AdminClient

from mesh.errors import AlreadyRunning
from mesh.product import beacon
from mesh.product.beacon import Beacon
from mesh.product.plan import plan_product, position_topic
from tests.life import wait_until
from tests.stream import PRODUCT

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_two_that_come_at_the_same_moment_are_one_in_the_end(workbench, monkeypatch):
    monkeypatch.setattr(beacon, "PATIENCE_S", 5.0)
    beacons = [beacon_of(workbench, name) for name in ("a", "b")]
    outcomes = claims(beacons)

    assert sum(each is True for each in outcomes) == 1
    assert sum(isinstance(each, AlreadyRunning) for each in outcomes) == 1


def test_a_kafka_that_answers_late_is_not_taken_for_another_that_lives(workbench, monkeypatch):
    alone = beacon_of(workbench, "a")
    asked = []

    def ask_when_joined(client: AdminClient, topic: str, timeout_s: float) -> object:
        asked.append(wait_until(lambda: alone._joined_at))
        return AdminClient.list_topics(client, topic, timeout_s)

    monkeypatch.setattr(beacon, "PATIENCE_S", 0.0)
    monkeypatch.setattr(
        beacon, "AdminClient", type("Late", (AdminClient,), {"list_topics": ask_when_joined})
    )

    assert claims([alone]) == [True]
    assert asked


def test_a_product_that_its_own_earlier_request_has_fenced_joins_again(workbench):
    alone = beacon_of(workbench, "a")
    assert alone.claim(lambda: False)
    # As Kafka sees it where a request was sent twice: another of our name.
    earlier = beacon_of(workbench, "a")
    assert earlier.claim(lambda: False)
    wait_until(alone._is_fenced.is_set)
    earlier.close()

    assert alone.claim(lambda: False)
    alone.close()


def beacon_of(workbench, storage: str) -> Beacon:
    """The product's beacon, as from a storage of that name."""
    topic = position_topic(plan_product(workbench.project(), PRODUCT).product)
    return Beacon(workbench.backbone.endpoint, workbench.principal(PRODUCT), topic, storage)


def claims(beacons: list[Beacon]) -> list[object]:
    """What becomes of *beacons* that are claimed at once."""

    def claim(beacon: Beacon) -> object:
        try:
            return beacon.claim(lambda: False)
        except AlreadyRunning as error:
            return error

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(claim, beacons))
    for each in beacons:
        each.close()
    return found
