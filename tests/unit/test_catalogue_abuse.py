"""Whatever is sent to the catalogue, it answers in words, and nothing is harmed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.intake import descriptor_of as read_message
from mesh.backbone.wire import frame
from mesh.contract.catalogue import PRODUCTS_TOPIC
from mesh.contract.descriptor import (
    Descriptor,
    canonical,
    descriptor_in,
    from_canonical,
    materialise,
)
from mesh.errors import InvalidFile
from tests.catalogue import Memory, in_memory
from tests.descriptors import descriptor_of


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Memory]:
    with in_memory(tmp_path, ratings="marketing", other="sales") as found:
        yield found


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x7f", "é", "😀", "'\"\\", "a: b # c", "1e5"])
def test_any_text_survives_the_way_through_files(odd, tmp_path):
    product, contract = descriptor_of(product={"tags": [odd, f"x{odd}y"]})
    text = json.dumps(product)
    given = Descriptor(id="ratings", product=text, contracts=(json.dumps(contract),))
    try:
        first = canonical(given)
    except InvalidFile:
        assert odd in "\x85\x7f"  # refused as a control character, and never changed
        return
    folder = materialise(from_canonical("ratings", first), tmp_path)

    assert json.loads(first)["product"]["tags"] == [odd, f"x{odd}y"]
    assert canonical(descriptor_in(folder)) == first


NASTY = [
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b'{"product": 1, "contracts": []}',
    b'{"product": "a: [", "contracts": ["b: {"]}',
    b'{"product": "", "contracts": [""]}',
    b'{"product": "x", "contracts": "y"}',
    b'{"product": {"id": "ratings"}, "contracts": [{}], "sql": {"../../x.sql": "select 1"}}',
    b'{"product": {"id": "../../etc"}, "contracts": [{"id": "a.../../../b"}]}',
    b'{"product": "id: \\ud800", "contracts": []}',
    b'{"product": "id: \\u0000", "contracts": []}',
    b'{"product": {"id": "<script>alert(1)</script>"}, "contracts": []}',
    b'{"product": {"id": "ratings", "name": "\\u202e\\u0000"}, "contracts": []}',
    b"[" * 100_000,
    b'{"product": ' + b"[" * 50_000,
    json.dumps({"product": "a: " + "[" * 50_000, "contracts": []}).encode(),
    json.dumps({"product": "a: &a x\nb: *a", "contracts": []}).encode(),
    json.dumps({"product": {"x": "y" * 1_500_000}, "contracts": []}).encode(),
    json.dumps({"product": {"id": "ratings"}, "contracts": [{}] * 3000}).encode(),
]


@pytest.mark.parametrize("body", NASTY, ids=range(len(NASTY)))
def test_whatever_is_sent_is_refused_in_words(catalogue, body, tmp_path):
    before = {each for each in tmp_path.rglob("*") if "home" not in each.parts}

    answer = catalogue.put("ratings", body)

    assert answer.status_code == 422, answer.text
    document = answer.json()
    if "detail" in document:
        assert document["detail"]
    else:
        assert all(
            each["rule"] and each["problem"] and each["remedy"] for each in document["findings"]
        )
        assert str(tmp_path) not in answer.text
        # The folder of a judgement is nobody's business.
        assert "mesh-descriptor-" not in answer.text
    assert catalogue.bus.written[PRODUCTS_TOPIC] == []
    assert {each for each in tmp_path.rglob("*") if "home" not in each.parts} == before


def test_a_body_without_end_is_not_read_to_its_end(catalogue):
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    answer = catalogue.client.put(
        "/products/ratings",
        content=endless(),
        headers={"Authorization": "Bearer token of ratings"},
    )

    assert answer.status_code == 413


@pytest.mark.parametrize("id_", ["..%2f..%2fetc", "A", "%00", "x" * 100, "<b>", "é", "a--b"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_id_that_is_no_name_is_refused(catalogue, id_, method):
    answer = catalogue.client.request(
        method, f"/products/{id_}", headers={"Authorization": "Bearer token of ratings"}
    )

    assert answer.status_code in (404, 405, 422)


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", b"\x01\x00\x00\x00\x07", frame(7, b""), frame(7, b"\x02"),
     frame(7, b"\xff" * 40), frame(7, b"\x04ab\x02"), frame(8, b"\x02a\x02b\x00\x00"),
     frame(7, b"\x02a\x02b\x00\x00z")],
)  # fmt: skip
def test_a_message_that_is_damaged_is_refused_with_a_reason(value):
    with pytest.raises(ValueError, match=r"."):
        read_message(value, 7)
