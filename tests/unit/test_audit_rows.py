"""A product's rows against what the log makes of them: each that does not fit is named."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from mesh.audit.entry import ENTRY, Columns, sealed
from mesh.audit.recount import Piece
from mesh.audit.rows import RECENT_MS, PortRows
from mesh.audit.served import Opened
from mesh.backbone.record import encoded
from mesh.contract.types import arrow_schema, avro_schema
from tests.strategies import contract_of, field_of

STATE = contract_of(
    field_of("id", required=True, key=1),
    field_of("n", "integer"),
)
STATE = replace(STATE, kind="state")
EVENTS = replace(STATE, kind="event", retention_ms=10 * RECENT_MS)
SCHEMA = avro_schema(STATE)
NOW = 1_000_000_000
# Key, number and age of each message; None deletes the row.
SAID = [("a", 1, 9), ("b", 2, 8), ("a", 3, 7), ("c", 4, 6), ("c", None, 5)]


def piece(said, begin: int = 0) -> Piece:
    """The entries of what was said; ages are in times of what counts as recent."""
    entries, openings = sealed(
        Columns(
            offsets=[begin + at for at in range(len(said))],
            timestamps_ms=[int(NOW - age * RECENT_MS) for *_, age in said],
            headers=[[] for _ in said],
            keys=[key.encode() for key, *_ in said],
            values=[
                None if n is None else encoded(7, SCHEMA, {"id": key, "n": n}) for key, n, _ in said
            ],
        ),
        bytes(16),
        0,
        needs_salt=False,
    )
    return Piece(
        begin=begin,
        rows=np.frombuffer(entries, ENTRY),
        sound=np.ones(len(said), bool),
        opened=Opened(openings=openings, erased={}),
    )


def wrong(folder, told, *said, contract=STATE):
    """Key and fault of each row, when the door has told these."""
    table = pa.Table.from_pylist([{"id": key, "n": n} for key, n in told], arrow_schema(contract))
    with closing(PortRows(contract, {7: SCHEMA}.get, folder)) as rows:
        begin = 0
        for each in said:
            rows.add(piece(each, begin))
            rows.add(piece(each, begin))  # what was taken in already is not taken in again
            begin += len(each)
        rows.tell([table])
        return dict(rows.wrong(NOW))


def test_rows_that_are_as_the_log_has_them_are_right(tmp_path):
    assert wrong(tmp_path, [("a", 3), ("b", 2)], SAID) == {}
    assert wrong(tmp_path, [("a", 3), ("b", 2)], SAID[:2], SAID[2:]) == {}


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([("a", 9), ("b", 2)], {"a": "altered"}),
        ([("a", None), ("b", 2)], {"a": "altered"}),
        ([("a", 1), ("b", 2)], {"a": "altered"}),
        ([("a", 3)], {"b": "missing"}),
        ([("a", 3), ("b", 2), ("x", 0)], {"x": "foreign"}),
        ([("a", 3), ("b", 2), ("c", 4)], {"c": "foreign"}),
        ([("a", 3), ("a", 3), ("b", 2)], {"a": "altered"}),
    ],
)
def test_a_row_that_was_edited_removed_or_made_by_hand_is_named(tmp_path, told, fault):
    assert wrong(tmp_path, told, SAID) == fault


def test_while_a_row_changes_what_it_just_was_is_right_too(tmp_path):
    changing = [*SAID, ("a", 5, 0.5), ("d", 6, 0.1), ("b", None, 0.2)]

    for told in ([("a", 3), ("b", 2)], [("a", 5), ("d", 6)], [("a", 5), ("b", 2), ("d", 6)]):
        assert wrong(tmp_path, told, changing) == {}
    assert wrong(tmp_path, [("a", 1), ("b", 2)], changing) == {"a": "altered"}


def test_each_message_of_an_event_port_is_a_row_until_its_time_is_over(tmp_path):
    said = [("a", 1, 11), ("a", 2, 9), ("a", 3, 8), ("b", 4, 7), ("b", None, 6), ("c", 5, 5)]

    def found(*told):
        return wrong(tmp_path, told, said, contract=EVENTS)

    assert found(("a", 1), ("a", 2), ("a", 3), ("c", 5)) == {}
    assert found(("a", 2), ("a", 3), ("c", 5)) == {}
    assert found(("a", 3), ("c", 5)) == {"a": "missing"}
    assert found(("a", 2), ("a", 3), ("b", 4), ("c", 5)) == {"b": "foreign"}
    assert found(("a", 2), ("a", 3), ("c", 6)) == {"c": "altered"}


def test_what_is_kept_of_a_message_and_is_none_is_left_to_others(tmp_path):
    broken = piece(SAID)
    openings = [b"\0\0\0\1", *broken.opened.openings[1:]]

    with closing(PortRows(STATE, {7: SCHEMA}.get, tmp_path)) as rows:
        rows.add(replace(broken, opened=Opened(openings=openings, erased={})))
        rows.tell([pa.Table.from_pylist([{"id": "a", "n": 3}], arrow_schema(STATE))])

        assert dict(rows.wrong(NOW)) == {"b": "missing"}
