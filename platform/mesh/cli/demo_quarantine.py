"""The step of `mesh demo` that breaks a contract: set aside as it came, and never half taken in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mesh.cli.app import App
from mesh.cli.demo_checks import check
from mesh.cli.output import steps
from mesh.cli.quarantine import open_quarantine, replay_entries

if TYPE_CHECKING:
    from mesh.product.quarantine import Entry

__all__ = ["break_a_message"]

PRODUCT = "call-center"
TRUNCATED = b"\x00\x00\x00\x00"
WAIT_S, POLL_S = 60.0, 0.3


def break_a_message(app: App) -> str:
    """Send a message that is cut short; it is set aside whole, and a replay does not let it in."""
    if not app.home.secret_path(PRODUCT).exists():
        return f"the secret of {PRODUCT} is not on this host, so nothing is set aside from here"
    topic, partition, offset = origin = send_truncated(app)
    with steps() as progress, open_quarantine(app, PRODUCT) as session:
        deadline = time.monotonic() + WAIT_S
        while not (found := [e for e in session.entries(progress) if e.origin == origin]):
            check(time.monotonic() < deadline, f"{topic} [{partition}] {offset} is not set aside")
            time.sleep(POLL_S)
        original = next(session.quarantine.originals([found[0].name]), None)
        check(original is not None and original.value == TRUNCATED, "its bytes are others")
        after, refused = replay_entries(session, lambda _: found, progress, is_running=True)
    check(not refused, f"it could not be asked for: {refused}")
    entry: Entry = after[0]
    check(entry.state == "rejected again", f"what is broken is {entry.state}, not rejected again")
    return f"set aside with its bytes: {entry.reason}; replayed unmended, it is rejected again"


def send_truncated(app: App) -> tuple[str, int, int]:
    """Write four bytes to the staging topic as the telephony system; where they stand."""
    from confluent_kafka import KafkaError, KafkaException, Message, Producer

    from mesh.backbone.admin import kafka_error

    port = next(each for each in app.project.product(PRODUCT).inputs if each.system is not None)
    topic = app.project.input_contract(port).topic
    sent: list[tuple[str, int, int]] = []
    errors: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            errors.append(error)
        else:
            sent.append((topic, message.partition() or 0, message.offset() or 0))

    producer = Producer(app.endpoint.client(app.principal(str(port.system))))
    try:
        producer.produce(topic, key=b"cut short", value=TRUNCATED, on_delivery=delivered)
        producer.flush(WAIT_S)
    except KafkaException as exception:
        raise kafka_error(exception.args[0], f"write {topic}") from exception
    if errors:
        raise kafka_error(errors[0], f"write {topic}")
    check(sent, "Kafka did not answer")
    return sent[0]
