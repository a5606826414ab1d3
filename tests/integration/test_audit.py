"""The audit service on a real Kafka: one entry a committed message, in order, provable."""

from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest
from confluent_kafka import Producer

from mesh.audit.follower import Follower
from mesh.audit.note import SigningKey
from mesh.audit.proof import verified
from mesh.contract.audit import AUDIT
from mesh.errors import BackboneError, Unreachable
from mesh.wiring.audit import needs_salt
from tests.audit import columns, key_of
from tests.life import wait_until
from tests.stream import CALLS, PRODUCT, calls, published, run

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KEY = key_of("mesh.test")


@contextmanager
def following(bench, folder, key: SigningKey = KEY):
    """A follower of the workbench's topics, with its logs in *folder*."""
    contracts = {each.topic: each for each in bench.project().contracts.values()}
    follower = Follower(
        bench.backbone.endpoint,
        bench.principal(AUDIT),
        folder,
        key,
        needs_salt=lambda topic: needs_salt(contracts, topic),
        say=lambda _: None,
    )
    try:
        yield follower
    finally:
        follower.close()


def logs_of(follower: Follower, topic: str):
    """The logs of the topic that is there now, by partition."""
    followed = sorted(follower.followed.items())
    return {place[1]: each.log for place, each in followed if place[0] == topic}


def settle(follower: Follower, topic: str, count: int):
    """Step until the logs of *topic* have *count* entries and nothing waits; the logs."""

    def is_settled() -> bool:
        came = follower.step(0.1)
        entries = sum(each.size for each in logs_of(follower, topic).values())
        return (
            not came
            and entries >= count
            and not any(each.lag for each in follower.followed.values())
        )

    wait_until(is_settled)
    assert sum(each.size for each in logs_of(follower, topic).values()) == count
    return logs_of(follower, topic)


def said(bench, count: int, start: int = 0) -> None:
    """Have the product publish *count* calls."""
    bench.feed(PRODUCT, calls(count, start))
    run(bench, count)


def topic_of(bench) -> str:
    return bench.contract(CALLS).topic


def assert_is_logged(messages, logs, key: SigningKey = KEY) -> None:
    """Every message has its entry, in order, and a proof with all of it."""
    for partition, log in logs.items():
        its = [each for each in messages if each.partition() == partition]
        assert [log.offset_at(index) for index in range(log.size)] == [
            each.offset() for each in its
        ]
        for index, message in enumerate(its):
            found = verified(str(log.proof(index, is_opened=True)), key.log_key)
            assert found.entry.kind == "salted"
            assert found.entry.timestamp_ms == message.timestamp()[1]
            assert (found.message.key, found.message.value) == (message.key(), message.value())
            assert list(found.message.headers) == message.headers()


def roots(logs):
    return {partition: log.note.split("\n")[1:3] for partition, log in logs.items()}


def test_every_message_has_one_entry_in_order_and_two_readers_get_one_root(workbench, tmp_path):
    topic = topic_of(workbench)
    said(workbench, 60)
    with following(workbench, tmp_path / "one") as follower:
        logs = settle(follower, topic, 60)
        said(workbench, 40, 60)
        logs = settle(follower, topic, 100)
        messages = published(workbench)

        assert len(logs) == workbench.contract(CALLS).partitions
        assert_is_logged(messages, logs)
        first = roots(logs)
    other_key = key_of("mesh.other")
    with following(workbench, tmp_path / "two", other_key) as follower:
        logs = settle(follower, topic, 100)

        assert roots(logs) == first
        assert_is_logged(messages, logs, other_key)


def test_it_resumes_at_the_offset_after_its_last_entry(workbench, tmp_path):
    said(workbench, 30)
    with following(workbench, tmp_path) as follower:
        settle(follower, topic_of(workbench), 30)
    said(workbench, 30, 30)
    with following(workbench, tmp_path) as follower:
        follower._look(follower._topics.look())
        waiting = sum(each.lag for each in follower.followed.values())
        logs = settle(follower, topic_of(workbench), 60)

        assert waiting >= 30
        assert_is_logged(published(workbench), logs)
        assert {each.missed for each in follower.followed.values()} == {0}


class Away:
    """Topics that cannot be described, now and then."""

    def __init__(self, topics, failures: int) -> None:
        self._topics, self._failures = topics, failures

    def look(self):
        return self._topics.look()

    def described(self, names):
        self._failures -= 1
        if self._failures % 2 == 0:
            return self._topics.described(names)
        raise Unreachable("away")


def test_what_was_fetched_while_kafka_went_away_is_fetched_again(workbench, tmp_path):
    topic = topic_of(workbench)
    with following(workbench, tmp_path) as follower:
        follower._topics = Away(follower._topics, 7)
        for start in range(0, 40, 10):
            said(workbench, 10, start)
            with suppress(BackboneError):
                follower.step(5)
        follower._topics = follower._topics._topics

        assert_is_logged(published(workbench), settle(follower, topic, 40))


def test_what_was_aborted_has_no_entry(workbench, tmp_path):
    backbone = workbench.backbone
    client = backbone.endpoint.client(backbone.admin, backbone.admin_mechanism)
    said(workbench, 10)
    producer = Producer({**client, "transactional.id": "aborts"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic_of(workbench), b"never said", b"nobody")
    producer.flush(20)
    producer.abort_transaction(20)
    said(workbench, 10, 10)
    with following(workbench, tmp_path) as follower:
        logs = settle(follower, topic_of(workbench), 20)

        assert_is_logged(published(workbench), logs)


def test_a_message_without_a_salt_is_withheld_where_fields_are_personal(workbench, tmp_path):
    backbone = workbench.backbone
    client = backbone.endpoint.client(backbone.admin, backbone.admin_mechanism)
    producer = Producer(client)
    producer.produce(topic_of(workbench), b"+12025550123", b"a key")
    producer.flush(20)
    with following(workbench, tmp_path) as follower:
        logs = settle(follower, topic_of(workbench), 1)
        log = next(each for each in logs.values() if each.size)

        assert log.entry(0).kind == "withheld"
        assert log.proof(0, is_opened=True).opening is None


def test_a_topic_that_is_made_anew_gets_another_log(workbench, tmp_path):
    topic = topic_of(workbench)
    said(workbench, 20)
    with following(workbench, tmp_path) as follower:
        old = settle(follower, topic, 20)
        proof = next(str(log.proof(0, is_opened=True)) for log in old.values() if log.size)
        admin = workbench.backbone.administrator()
        admin.remove_topic(topic)
        wait_until(lambda: topic not in admin.topic_partitions())
        workbench.provision()
        producer = Producer(workbench.backbone.endpoint.client(workbench.principal(PRODUCT)))
        for number in range(50):
            producer.produce(topic, b"new", str(number), headers={"salt": bytes(32)})
        producer.flush(20)
        new = settle(follower, topic, 50)

        assert {each.name.topic_id for each in old.values()} != {
            each.name.topic_id for each in new.values()
        }
        assert sum(each.size for each in old.values()) == 20
        assert {id(each) for each in old.values()} <= {id(each) for each in follower.logs.values()}
        assert verified(proof, KEY.log_key).log == next(
            each.name for each in old.values() if each.name == verified(proof, KEY.log_key).log
        )


def test_a_topic_whose_end_was_removed_is_named_and_its_log_left_as_it_is(workbench, tmp_path):
    said(workbench, 20)
    with following(workbench, tmp_path) as follower:
        logs = settle(follower, topic_of(workbench), 20)
        partition, log = next((n, each) for n, each in logs.items() if each.size)
        log.add(columns(3, 500), needs_salt=False)  # as if the topic had once had more
    with following(workbench, tmp_path) as follower:
        follower.step(0)
        followed = follower.followed[topic_of(workbench), partition]

        assert "messages were removed from the topic's end" in followed.trouble
