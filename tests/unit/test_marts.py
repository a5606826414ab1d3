"""Marts: what is made of new rows alone is what the whole query would say, for whoever may see."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.errors import InvalidFile
from mesh.query.files import load_queries
from mesh.sql import marts as marts_module
from mesh.sql import shelf as shelf_module
from mesh.sql.limits import missing
from mesh.sql.part import NEEDED
from mesh.wiring.sql_marts import marts_of
from tests.life import wait_until
from tests.marts import KEYS, MART, NEEDS, SQL, Fed, opened_marts, put_mart
from tests.queries import PEOPLE
from tests.sql import EVENTS, SECRETS, messages_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"needs limits: {missing()}")

# Key and number of an order; None deletes all that came before of that key.
said = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 5)), min_size=1, max_size=8
)


@pytest.fixture(autouse=True)
def no_rest(monkeypatch):
    monkeypatch.setattr(marts_module, "LEAST_REST_S", 0.0)
    monkeypatch.setattr(marts_module, "REST", 0)
    monkeypatch.setattr(shelf_module, "EVERY_S", 0.0)


@pytest.fixture
def fed(tmp_path):
    put_mart(tmp_path / "queries", keys=KEYS, needs=NEEDS)
    with opened_marts(tmp_path) as (access, marts):
        yield Fed(access, marts)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(said, min_size=1, max_size=4))
def test_what_is_made_of_new_rows_is_what_the_whole_query_says(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("marts")
    put_mart(folder / "queries")
    put_mart(folder / "queries", "by-keys", keys=KEYS)
    put_mart(folder / "queries", "by-needs", keys=KEYS, needs=NEEDS)
    with opened_marts(folder) as (access, marts):
        fed = Fed(access, marts)
        for batch in batches:
            fed.put(batch)
            for name in ("per_n", "by_keys", "by_needs"):
                assert fed.mart(name) == fed.expected, name


def test_new_rows_alone_are_computed_until_something_goes(fed):
    found = []
    for batch in ([("a", 2), ("b", 2)], [("c", 3), ("d", 2)], [("a", None)], [("e", 3)]):
        fed.put(batch)
        found.append((fed.mart(), fed.told()[0]["is_part"]))

    assert found == [
        ([[2, 2]], False),
        ([[2, 3], [3, 1]], True),
        ([[2, 2], [3, 1]], False),
        ([[2, 2], [3, 2]], True),
    ]


def test_an_answer_says_for_which_offsets_of_its_inputs_a_mart_is_true(fed):
    fed.put([("a", 2), ("b", 2)])
    found = fed.access.ask(MART, "ada").json()["offsets"]

    assert found["marts.per-n"] == {f"{EVENTS.topic}[0]": 3}


def test_a_mart_is_seen_by_whoever_may_read_all_that_it_reads(fed):
    fed.put([("a", 2)])
    seen = {who: fed.access.ask(MART, who).status_code for who in ("ada", "grace", "mallory")}
    told = [
        [each["table"] for each in fed.marts.told(frozenset({id_}))]
        for id_ in (EVENTS.id, SECRETS.id)
    ]

    assert seen == {"ada": 200, "grace": 200, "mallory": 422}
    assert told == [["marts.sales.per_n"], []]


def test_a_mart_is_dropped_once_its_owner_may_not_read_what_it_reads(fed, tmp_path):
    fed.put([("a", 2)])
    fed.access.granted["grace"] = frozenset({SECRETS.id})

    assert fed.access.ask(MART, "ada").status_code == 422
    assert [reason for _, reason in fed.marts.step()] == ["grace may not read all of shop.orders"]
    assert [*(tmp_path / "sql" / "marts").rglob("*.duckdb")] == []


def test_a_mart_is_there_again_after_a_restart_and_made_anew_for_another_query(tmp_path):
    put_mart(tmp_path / "queries")
    with opened_marts(tmp_path) as (access, marts):
        fed = Fed(access, marts)
        fed.put([("a", 2), ("b", 3)])
    with opened_marts(tmp_path) as (access, marts):
        before = Fed(access, marts).mart()
    put_mart(tmp_path / "queries", sql=SQL.replace("n > 1", "n > 2"))
    with opened_marts(tmp_path) as (access, marts):
        unknown = access.ask(MART).status_code
        fed = Fed(access, marts)
        wait_until(fed.is_refreshed)
        after = fed.mart()

    assert (before, unknown, after) == ([[2, 1], [3, 1]], 422, [[3, 1]])


def test_an_erasure_has_no_file_with_rows_of_before(fed, tmp_path):
    folder = tmp_path / "sql" / "marts"
    fed.put([("a", 2)])
    before = set(folder.rglob("*.duckdb"))
    fed.marts.make_anew()
    between = set(folder.rglob("*.duckdb"))
    wait_until(fed.is_refreshed)

    assert (len(before), between, fed.mart()) == (2, set(), [[2, 1]])


def test_what_was_computed_before_an_erasure_is_not_kept_after_it(fed, monkeypatch):
    asked = fed.marts._asked

    def erased_meanwhile(*given):
        found = asked(*given)
        monkeypatch.undo()
        fed.marts.make_anew()
        return found

    monkeypatch.setattr(fed.marts, "_asked", erased_meanwhile)
    fed.access.put.put(messages_of([("a", 2)]))
    wait_until(lambda: fed.access.desk.shelf.tables[EVENTS.topic].changes)
    fed.marts.step()

    assert fed.told()[0]["refreshed_at"] is None


@pytest.mark.parametrize("damage", ["removed", "truncated", "garbage", "another"])
def test_a_damaged_file_is_made_anew_and_its_reason_said_once(fed, tmp_path, damage):
    path = tmp_path / "sql" / "marts" / "marts.per-n.duckdb"
    fed.put([("a", 2), ("b", 3)])
    fed.put([("c", 3)])
    data = path.read_bytes()
    path.unlink()
    if damage == "another":
        duckdb.connect(str(path)).close()
    elif damage != "removed":
        path.write_bytes(data[:5000] if damage == "truncated" else b"garbage " * 2000)

    fed.access.put.put(messages_of([("d", 2)], first=fed.next))
    said = [reason for _, reason in wait_until(fed.marts.step)]
    meanwhile = fed.mart()
    wait_until(fed.is_refreshed)

    assert [each.partition(":")[0] for each in said] == ["its file is made anew"]
    assert (meanwhile, fed.mart()) == ([[2, 1], [3, 2]], [[2, 2], [3, 2]])
    assert (fed.told()[0]["is_part"], fed.told()[0]["reason"]) == (False, "")


def test_a_mart_on_a_schedule_waits_for_it(tmp_path):
    put_mart(tmp_path / "queries", when="every: PT10H")
    with opened_marts(tmp_path) as (access, marts):
        fed = Fed(access, marts)
        fed.put([("a", 2)])
        access.put.put(messages_of([("b", 2)], first=10))
        wait_until(lambda: fed.told()[0]["is_behind"])
        marts.step()

        assert fed.mart() == [[2, 1]]
        assert fed.told()[0]["every_s"] == 36_000


def test_a_result_that_breaks_its_contract_is_not_kept_and_says_why(fed):
    fed.put([("a", 2)])
    fed.access.put.put(messages_of([("b", 99)], first=10))
    reasons = wait_until(fed.marts.step)

    assert "n.maximum" in reasons[0][1]
    assert fed.mart() == [[2, 1]]
    assert "n.maximum" in fed.told()[0]["reason"]


@pytest.mark.parametrize(
    ("sql", "keys", "words"),
    [
        (SQL.replace("n > 1", '"at" < now()'), "", "now"),
        (f"{SQL} limit 3", "", "LIMIT"),
        (SQL.replace("count(*)", "first(n)"), "", "ORDER BY"),
        (SQL.replace("shop.orders", "shop.ordres"), "", "no port"),
        (SQL.replace("as orders", "as found").replace("orders <", "found <"), "", "no orders"),
        (SQL, "select 5::bigint as n", "changed_shop_orders"),
        (SQL, "select id from changed_shop_orders", "the key of"),
    ],
)
def test_sql_that_is_no_function_of_its_ports_is_no_mart_and_stops_no_other(
    tmp_path, sql, keys, words
):
    put_mart(tmp_path / "queries", sql=sql, keys=keys)
    put_mart(tmp_path / "queries", "another", SQL)
    queries = load_queries(tmp_path / "queries", PEOPLE)
    said: list[str] = []

    (found,) = marts_of(queries, PEOPLE, [EVENTS, SECRETS], said.append)

    assert found.promise.name == "another"
    (reason,) = said
    assert "is not kept as a mart: " in reason
    assert words in reason


def test_a_part_of_a_query_reads_what_its_needs_file_gives_and_nothing_else(tmp_path):
    put_mart(tmp_path / "queries", keys=KEYS, needs=NEEDS)
    (mart,) = marts_of(load_queries(tmp_path / "queries", PEOPLE), PEOPLE, [EVENTS], print)

    assert mart.part_sql == SQL.replace("sales.shop.orders", f"{NEEDED} as orders")


def test_a_mart_has_no_parameters(tmp_path):
    put_mart(tmp_path / "queries", sql=SQL.replace("> 1", "> $a"))
    path = tmp_path / "queries" / "per-n.sql"
    head = "parameters:\n  - {name: a, logicalType: integer}\nresult:"
    path.write_text(path.read_text().replace("result:", head))

    with pytest.raises(InvalidFile, match="a mart has no parameters"):
        load_queries(tmp_path / "queries", PEOPLE)
