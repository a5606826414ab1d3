"""Where a batch's rows come from, and what of a message's headers is left."""

from __future__ import annotations

from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from mesh.product.causes import causes_of
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
