"""Every message has its own headers: CloudEvents, a span of its cause's trace, a salt."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from mesh.backbone.trace import child_traceparents, is_traceparent
from mesh.product.envelope import outgoing
from mesh.product.outbox import OUTBOX

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
BROKEN = [
    "",
    "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
    "00-" + "1" * 32 + "-" + "0" * 16 + "-01",
    "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
    "00-" + "A" * 32 + "-" + "1" * 16 + "-01",
    "00-" + "1" * 32 + "-" + "1" * 16 + "-01\n",
    None,
]


def traces(*parents: str | None) -> list[str]:
    return child_traceparents(pa.array(parents, pa.string()))


def are_valid(texts: list[str | None]) -> list[bool]:
    return is_traceparent(pa.array(texts, pa.string())).to_pylist()


def sent(*rows: dict[str, object]) -> list[dict[str, object]]:
    outbox = pa.Table.from_pylist(
        [{"topic": "pub.d.p.calls.v1", "key": b"k", "id": "i", **each} for each in rows], OUTBOX
    )
    return [dict(headers) for _, _, _, headers in outgoing(outbox, "/d/p")]


def test_a_child_keeps_trace_and_flags_and_has_an_id_of_its_own():
    (child,) = traces(PARENT)

    assert are_valid([child]) == [True]
    assert child[:36] == PARENT[:36]
    assert child[-3:] == "-00"
    assert child.split("-")[2] != PARENT.split("-")[2]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_traceparent_starts_a_new_trace(text):
    beside, new = traces(PARENT, text)

    assert are_valid([text]) == [False]
    assert are_valid([beside, new]) == [True, True]
    assert beside[:36] == PARENT[:36]
    assert new[-3:] == "-01"


def test_traces_that_begin_here_differ():
    begun = traces(*[None] * 100)

    assert all(are_valid(begun))
    assert len({each.split("-")[1] for each in begun}) == 100


def test_no_messages_have_no_headers():
    assert traces() == []
    assert sent() == []


def test_the_time_is_rfc_3339_to_the_microsecond():
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)

    (headers,) = sent({"time": at})

    assert headers["ce_time"] == "2026-01-02T03:04:05.000678Z"
    assert datetime.fromisoformat(headers["ce_time"]) == at


def test_a_message_has_the_attributes_of_cloudevents_in_binary_mode():
    (headers,) = sent({"time": datetime(2026, 1, 2, tzinfo=UTC), "id": "a/0/1/0"})

    assert list(headers) == [
        "ce_specversion", "ce_source", "ce_type", "content-type", "ce_id", "ce_time",
        "traceparent", "salt",
    ]  # fmt: skip
    assert headers["ce_source"] == b"/d/p/calls"
    assert headers["ce_id"] == "a/0/1/0"


def test_salts_are_32_bytes_and_differ():
    salts = [each["salt"] for each in sent(*[{"time": datetime(2026, 1, 2, tzinfo=UTC)}] * 100)]

    assert {len(each) for each in salts} == {32}
    assert len(set(salts)) == 100
