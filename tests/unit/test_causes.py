"""Where a batch's rows come from, and what of a message's headers is left."""

from __future__ import annotations

from datetime import UTC, datetime

from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from mesh.product.causes import causes_of, headers_of, trace_of
from mesh.product.rejection import Fault, of_messages

TRACES = [f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b{n}-01" for n in range(3)]
FAULT = Fault(field=None, rule="message", reason="it is none")


def messages() -> list[Message]:
    return [
        Message(
            topic="a",
            partition=1,
            offset=number,
            key=b"k",
            value=b"v",
            headers=[("ce_id", b"1"), ("traceparent", trace.encode()), ("salt", b"s")],
            timestamp=(TIMESTAMP_CREATE_TIME, 1_000 + number),
        )
        for number, trace in enumerate(TRACES)
    ]


def test_each_message_names_its_trace_and_forgets_its_headers():
    batch = messages()

    assert causes_of(batch)["trace"].to_pylist() == TRACES
    assert [each.headers() for each in batch] == [[]] * 3


def test_of_a_batch_that_is_not_traced_only_the_newest_names_its_trace():
    assert causes_of(messages(), is_traced=False)["trace"].to_pylist() == [None, None, TRACES[2]]


def test_a_message_set_aside_names_its_trace_whether_the_batch_is_traced_or_not():
    for is_traced in (True, False):
        batch = messages()

        causes = causes_of(batch, is_traced=is_traced)
        rejections = of_messages(batch, causes, {0: FAULT, 2: FAULT})

        assert [each.trace for each in rejections] == [TRACES[0], TRACES[2]]
        assert [each.offset for each in rejections] == [0, 2]


class Unreadable:
    """A message with a header whose name is no UTF-8, as the client has it."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        if self.found is None:
            raise SystemError("<method 'headers'> returned a result with an exception set")
        return self.found

    def set_headers(self, headers: list[tuple[str, bytes]]) -> None:
        self.found = headers


def test_headers_that_the_client_cannot_tell_are_none_and_are_never_asked_for_again():
    message = Unreadable()

    assert headers_of(message) is None
    assert trace_of(message) is None
    assert message.found == []


def test_a_time_that_python_cannot_say_is_the_last_that_it_can():
    late = Message(topic="a", partition=0, offset=0, timestamp=(TIMESTAMP_CREATE_TIME, 2**62))

    assert causes_of([late])["time"][0].as_py() == datetime(
        9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC
    )
