"""Answers of the SQL access point that no format has, or that are easily lost in one."""

from __future__ import annotations

import pytest

from mesh.sql.limits import missing
from tests.sql import opened_access

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with opened_access(tmp_path_factory.mktemp("sql")) as found:
        yield found


@pytest.mark.parametrize(
    "value", ["340282366920938463463374607431768211455::uhugeint", "bit '101'", "[1::bignum]"]
)
def test_what_no_format_has_is_refused_and_not_made_another_value(shared, value):
    answer = shared.ask(f"select {value} as x")

    assert answer.status_code == 422
    assert "cast it to varchar" in answer.json()["detail"]
    assert shared.ask(f"select ({value})::varchar as x").status_code == 200


def test_a_format_is_one_by_its_whole_name(shared):
    assert shared.ask("select 1", params={"format": "jsonx"}).status_code == 422
    assert shared.ask("select 1", params={"format": "jsonx"}).json()["detail"] != "'jsonx'"


def test_two_columns_of_one_name_are_both_in_a_csv(shared):
    assert shared.ask("select 1 as a, 2 as a", params={"format": "csv"}).text == "a,a\n1,2\n"


def test_half_a_character_is_refused_in_words(shared):
    headers = {**shared.headers(), "Content-Type": "application/json"}
    for body in (
        b'{"sql": "select \'\\ud800\'"}',
        b'{"sql": "select $1", "parameters": ["\\ud800"]}',
    ):
        answer = shared.client.post("/sql", content=body, headers=headers)

        assert (answer.status_code, "send SQL as text" in answer.json()["detail"]) == (422, True)
