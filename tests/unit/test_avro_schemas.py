"""Schemas that others have registered: their names, and what is none."""

from __future__ import annotations

import json

import pytest

from mesh.backbone.avro import Decoder
from mesh.errors import BackboneError
from tests.unit.test_avro import fastavro_bytes

NAMED = {
    "type": "record",
    "name": "top",
    "namespace": "a",
    "fields": [
        {
            "name": "x",
            "type": {"type": "record", "name": "rec", "fields": [{"name": "v", "type": "long"}]},
        },
        {
            "name": "y",
            "type": {
                "type": "record",
                "name": "b.rec",
                "fields": [{"name": "w", "type": "boolean"}],
            },
        },
        {"name": "z", "type": "rec"},
        {"name": "zz", "type": "a.rec"},
    ],
}


def test_a_name_is_that_of_its_namespace():
    row = {"x": {"v": 1}, "y": {"w": True}, "z": {"v": -1}, "zz": {"v": 2}}
    (message,) = fastavro_bytes(NAMED, [row])

    assert Decoder(NAMED).decode([message]).table.to_pylist() == [row]


@pytest.mark.parametrize(
    "fields",
    [
        [{"name": "e", "type": {"type": "enum", "name": "e", "symbols": []}}],
        [{"name": "e"}],
        ["e"],
        [{"type": "int"}],
        [{"name": "e", "type": "nothing"}],
    ],
)
def test_what_is_no_schema_is_refused_in_words(fields):
    with pytest.raises(BackboneError):
        Decoder({"type": "record", "name": "x", "fields": fields})


def test_an_instant_in_milliseconds_that_is_too_far_is_damage_and_its_neighbours_live():
    schema = {
        "type": "record",
        "name": "x",
        "fields": [{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}],
    }
    plain = json.loads(json.dumps(schema).replace("timestamp-millis", "none"))
    good, bad = fastavro_bytes(plain, [{"at": 1}, {"at": 2**62}])

    found = Decoder(schema).decode([good, bad, good])

    assert [position for position, _ in found.bad] == [1]
    assert found.table.num_rows == 2
