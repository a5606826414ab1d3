"""The page of a query: what it shows of an answer, what the command is, and who ends what."""

from __future__ import annotations

import shlex

import httpx
import pytest
from click.testing import CliRunner

from catalog.pages.asking_sql import Asked, command_of, with_name
from catalog.pages.bars import bars_of
from mesh.cli.main import mesh
from mesh.sql.limits import missing
from tests.life import wait_until
from tests.signed import ORDERS, opened_orders

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
BY_ID = f"select id, n from {ORDERS} order by id"
# Computes until it is ended.
LONG = "select count(*) from range(100000) a, range(100000) b, range(10) c where a.range < b.range"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    with opened_orders(tmp_path_factory.mktemp("signed")) as found:
        yield found


def asked(signed, sql, act="run", who="ada"):
    """The page of a query, as JSON."""
    form = {"sql": sql, "act": act}
    return signed.post("/sql", who, form, Accept="application/json").json()


def test_a_query_is_answered_with_rows_offsets_a_chart_and_the_command(signed):
    found = asked(signed, f"{BY_ID}\r\n")
    page = signed.post("/sql", "ada", {"sql": BY_ID}).text

    assert found["result"]["rows"] == [["a", 1], ["b", 2], ["c", 3]]
    assert list(found["result"]["offsets"].values()) == [{"0": 5}]
    assert found["command"] == f"mesh sql --as ada '{BY_ID}'"
    assert asked(signed, BY_ID)["result"]["cache"] == "hit"
    assert "From the cache" in page
    assert 'aria-label="Chart: n by id"' in page
    assert "partition 0 before 5" in page


def test_a_plan_is_shown_and_wrong_sql_is_told_in_the_services_words(signed):
    plan = asked(signed, BY_ID, "explain")
    wrong = signed.post("/sql", "ada", {"sql": "select nothing from nowhere"})
    empty = signed.post("/sql", "ada", {"sql": " "})

    assert "SCAN" in plan["plan"]
    assert plan["result"] is None
    assert plan["command"].startswith("mesh sql --as ada --explain ")
    assert wrong.status_code == empty.status_code == 422
    assert "nowhere" in wrong.text
    assert "select nothing from nowhere</textarea>" in wrong.text


def test_everybody_sees_the_own_tables_alone(signed):
    tables = {
        who: [each["name"] for each in asked(signed, "", "cancel", who)["tables"]]
        for who in ("ada", "grace", "mallory")
    }
    stolen = signed.post("/sql", "ada", {"sql": "from sales.shop.secrets"})

    assert tables == {"ada": [ORDERS], "grace": [ORDERS, "sales.shop.secrets"], "mallory": []}
    assert stolen.status_code == 422


def test_a_table_or_a_column_is_added_to_the_query(signed):
    whole = asked(signed, "", f"insert {ORDERS}")["sql"]
    more = asked(signed, "select * from", f"insert {ORDERS}")["sql"]

    assert whole == f'select "id", "n", "at"\nfrom {ORDERS}\nlimit 100'
    assert len(asked(signed, whole)["result"]["rows"]) == 3
    assert more == f"select * from {ORDERS}"
    assert asked(signed, "select", f"insert {ORDERS} id")["sql"] == 'select "id"'
    assert with_name("", "nowhere", 'a"b', []) == '"a""b"'


def test_whoever_leaves_the_page_ends_the_query(signed):
    pool = signed.sql.desk.pool
    before = pool.running
    with pytest.raises(httpx.ReadTimeout):
        signed.client.post("/sql", data={"sql": LONG}, headers=signed.headers("grace"), timeout=2)

    wait_until(lambda: pool.running == before, 10)


def test_more_rows_than_a_person_looks_at_are_counted_and_too_many_are_refused(signed):
    many = asked(signed, "select range as i from range(1000)")["result"]
    too_many = signed.post("/sql", "ada", {"sql": "select range as i from range(1000000)"})

    assert (many["count"], len(many["rows"])) == (1000, 200)
    assert too_many.status_code == 422
    assert "too much for a page" in too_many.text


def test_a_hostile_answer_is_text(signed):
    evil = "<img src=x onerror=alert(1)>"
    page = signed.post(
        "/sql", "ada", {"sql": f"select '{evil}' as \"{evil}\", [1, null] as l, 2 n"}
    )

    assert page.status_code == 200
    assert "<img" not in page.text
    assert "[1, null]" in page.text


@pytest.mark.parametrize(
    "sql", ["select 'it''s'\n-- $(id) `id`\n, 1", "-- a comment first\nselect 1", 'select "a b" \\']
)
def test_the_command_is_the_same_query(sql):
    command = command_of(Asked(principal="ada", sql=sql, act="run"))
    words = shlex.split(command)
    result = CliRunner().invoke(mesh, ["sql", "--tables", *words[2:]])

    assert words[:2] == ["mesh", "sql"]
    assert sql in words
    # Understood as a query, which goes with `--tables` no more than two queries do.
    assert "say one of a query" in str(result.exception)


def test_a_text_that_a_terminal_would_not_take_has_no_command():
    assert command_of(Asked(principal="ada", sql="select '\x03rm'", act="run")) is None


@pytest.mark.parametrize(
    ("columns", "rows", "bars"),
    [
        (["a", "n"], [["x", 1], ["y", -1], ["z", None]], 3),
        (["a", "sum"], [["x", "12.50"], ["y", "7"]], 2),
        (["n"], [[1], [2]], 2),
        (["phone", "name"], [["+12025550123", "x"], ["+12025550124", "y"]], None),
        (["id", "b"], [["1", True], ["2", False]], None),
        (["a", "n"], [["x", 1]], None),
        (["a"], [], None),
        (["a", "n"], [["x", 0], ["y", 0]], 2),
        (["a", "n"], [["x", 10**400], ["y", 1]], None),
        (["i", "n"], [[1, each] for each in range(100)], 40),
    ],
)
def test_a_chart_has_a_bar_for_each_row_that_has_a_number(columns, rows, bars):
    found = bars_of(columns, rows)

    assert (None if found is None else len(found.bars)) == bars
    for each in found.bars if found else ():
        assert each.x >= 0
        assert each.x + each.width <= found.width
