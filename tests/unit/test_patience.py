"""Patience: a Kafka that is there and does not answer is noticed, and nothing else is."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from mesh.errors import Unreachable
from mesh.product import patience
from mesh.product.patience import ANSWER_S, PUBLISH_S, QUIET_S, Patience, ask


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


def test_a_publication_that_takes_long_is_complained_of_only_while_it_takes(clock):
    found = Patience()
    with found.asking():
        clock[0] += PUBLISH_S - 1
        assert found.complaint() == ""
        clock[0] += 2
        assert found.complaint() == "Kafka has not answered for 9 s"

    assert found.complaint() == ""


def test_a_publication_that_fails_is_not_waited_for_any_more(clock):
    found = Patience()
    with pytest.raises(ValueError, match="fenced"), found.asking():
        raise ValueError("fenced")
    clock[0] += 100

    assert found.complaint() == ""


def test_kafka_is_asked_only_after_a_silence_and_once_in_that_time(clock):
    found = Patience()
    assert not found.is_quiet()
    clock[0] += QUIET_S + 0.1
    assert found.is_quiet()
    assert not found.is_quiet()
    clock[0] += QUIET_S - 0.1
    found.heard()
    clock[0] += QUIET_S - 0.1
    assert not found.is_quiet()


def test_a_silence_is_noticed_within_ten_seconds():
    assert QUIET_S + ANSWER_S < 10
    assert PUBLISH_S < 10


class Answering:
    """A consumer whose broker answers, or does not."""

    def __init__(self, answers: bool) -> None:
        self.answers, self.asked = answers, []

    def assignment(self):
        return ["calls [0]", "calls [1]"]

    def get_watermark_offsets(self, partition, timeout, *, cached):
        assert not cached
        self.asked.append((partition, timeout))
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_each_consumer_is_asked_of_one_partition_in_bounded_time():
    both = [Answering(True), Answering(True)]
    ask(both)

    assert [each.asked for each in both] == [[("calls [0]", ANSWER_S)]] * 2


def test_a_broker_that_does_not_answer_is_unreachable():
    with pytest.raises(Unreachable, match="does not answer"):
        ask([Answering(True), Answering(False)])
