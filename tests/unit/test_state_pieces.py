"""Tests that a whole query compared with its table piece by piece says what one piece would."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from mesh.product import state_port
from mesh.product.state_port import StatePort
from mesh.product.state_query import StateQuery
from tests.unit.test_state_port import PORTS, SOURCES, histories, open_storage, take_in


@pytest.mark.parametrize("name", PORTS)
@settings(max_examples=15, deadline=None)
@given(history=histories)
def test_a_whole_query_compared_piece_by_piece_says_the_same(name, history):
    port, sql, _ = PORTS[name]
    query = StateQuery(path=Path("q.sql"), sql=sql, inputs=tuple(SOURCES))
    published: list[dict[str, tuple]] = [{}, {}]
    for found, piece in zip(published, (1, 20_000), strict=True):
        connection = open_storage(port)
        state = StatePort(connection, port, query, lambda rows: (rows, []))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state_port, "PIECE", piece)
            for batch in history:
                for change in state.changes(take_in(connection, batch)):
                    found |= {next(iter(r.values())): r for r in change.rows.to_pylist()}
                    for row in change.gone.to_pylist():
                        del found[next(iter(row.values()))]
        connection.close()

    assert published[0] == published[1]
