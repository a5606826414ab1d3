"""A table of questions is answered as one by one, by whichever join."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest

from products.key_ring import bulk
from products.key_ring.bulk import resolve_all
from products.key_ring.resolve import resolve
from tests.links import CHAINS, INSTANT, link, ring, table


@pytest.mark.parametrize("many", [0, 200])
def test_a_table_of_questions_has_the_answers_of_one_by_one(monkeypatch, many):
    monkeypatch.setattr(bulk, "MANY", many)
    rng = random.Random(1)  # noqa: S311 - to be repeated, not to be secret
    links = [
        link(
            "phone-number-contract", f"+{n % 20}", f"C-{rng.randrange(9)}",
            start=None if n < 20 else 10 * (n // 20), end=10 * (n // 20) + rng.choice([5, 10]),
        )
        for n in range(400)
    ]  # fmt: skip
    links += [link("contract-holder", f"C-{n}", f"P-{n % 3}") for n in range(7)]
    # One whose links lie over each other, which ASOF would answer wrongly.
    links += [link("phone-number-contract", "+0", "C-8", start=3), links[0] | {"statement_id": "x"}]
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.register("_rows", table(*links))
    connection.execute("create table links as select * from _rows")
    asked = pa.table(
        {
            "id": [f"+{rng.randrange(21)}" for _ in range(500)],
            "at": pa.array([rng.randrange(220) for _ in range(500)], pa.int64()).cast(INSTANT),
        }
    )
    made = ring(*links)
    for end, role in (("contract-number", None), ("person-id", "holder")):
        chain = CHAINS.find("phone-number", end, role)
        found = resolve_all(connection, chain, asked).to_pylist()
        for row, at in zip(found, asked["at"].cast(pa.int64()).to_pylist(), strict=True):
            one = resolve(made, chain, row["id"], at)
            assert row["answer"] == one.answer
            assert row["count_candidates"] == (len(one.candidates) if one.is_whole else 0)
            assert (row["count_steps"] == len(chain)) == one.is_whole
    connection.close()


def test_what_was_known_then_is_asked_of_a_table_too():
    old = link("phone-number-contract", "+1", "C-1") | {"known_to": 50, "holds": False}
    new = link("phone-number-contract", "+1", "C-2") | {"known_from": 50}
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.register("_rows", table(old, new))
    connection.execute("create table links as select * from _rows")
    connection.execute(
        "create table conflicts (relation varchar, statement_id varchar,"
        " known_from timestamptz, known_to timestamptz)"
    )
    asked = pa.table({"id": ["+1"], "at": pa.array([7], pa.int64()).cast(INSTANT)})
    chain = CHAINS.find("phone-number", "contract-number", None)

    times = ("1970-01-01T00:00:00.000049Z", "1970-01-01T00:00:00.000050Z")
    found = [resolve_all(connection, chain, asked, at)["answer"][0].as_py() for at in times]
    assert found == ["C-1", "C-2"]
    connection.close()
