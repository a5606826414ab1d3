"""A reader that has seen something is not answered by what was before."""

from __future__ import annotations

import json
import threading

import pytest

from tests.doors import ROWS, opened_door

HEADER = "Mesh-At-Least"


@pytest.fixture
def doors(tmp_path):
    with opened_door(tmp_path) as found:
        yield found


def test_an_answer_waits_for_the_offsets_that_the_reader_names(doors):
    wanted = {HEADER: json.dumps({"t": {"0": len(ROWS)}})}
    writer = threading.Timer(0.3, doors.add, ROWS)
    writer.start()

    answer = doors.ask(headers=wanted)

    writer.join()
    assert answer.status_code == 200
    assert len(answer.json()["rows"]) == len(ROWS)


@pytest.mark.parametrize("text", ["7", "[]", '{"t": 7}', '{"t": {"0": "x"}}', "{"])
def test_what_is_no_offsets_is_refused(doors, text):
    answer = doors.ask(headers={HEADER: text})

    assert answer.status_code == 422
    assert HEADER in answer.json()["detail"]


def test_nobody_waits_who_may_not_read(doors):
    answer = doors.ask(name="mallory", headers={HEADER: '{"t": {"0": 99}}'})

    assert answer.status_code == 403


@pytest.mark.parametrize("offset", ["Infinity", "1e999", "NaN", '"x"'])
def test_offsets_that_are_no_numbers_are_refused_in_words(doors, offset):
    answer = doors.ask(headers={HEADER: f'{{"t": {{"0": {offset}}}}}'})

    assert answer.status_code == 422
    assert f"write {HEADER}" in answer.json()["detail"]
