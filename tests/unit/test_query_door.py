"""Named queries over HTTP: whoever is limited to them is answered nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from mesh.contract.people import Person
from mesh.sql.limits import missing
from mesh.sql.notes import Notes
from tests.life import wait_until
from tests.queries import PEOPLE, PER_N, SQL, named_in, put_query
from tests.sql import EVENTS, Access, messages_of, opened_access

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"needs limits: {missing()}")

FIVE = {"query": "per-n", "parameters": {"above": 5}}
# What no query may be asked with, and no file of the service may hold.
SECRET = 43


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    folder = tmp_path_factory.mktemp("queries")
    put_query(folder / "queries")
    put_query(folder / "queries", "hidden")
    put_query(folder / "queries", "secrets", SQL.replace("orders where", "secrets where"))
    wrongs = {
        "wrong-rule": "select 60::bigint as n, 1::bigint as orders where $above > 0",
        "wrong-key": "select 1::bigint as n, i as orders from range($above) t(i)",
        "wrong-null": "select 1::bigint as n, null::bigint as orders where $above > 0",
        "wrong-type": "select 1::bigint as n, sum(i) as orders from range($above) t(i)",
        "wrong-name": "select 1::bigint as n, $above as order_count",
    }
    for name, sql in wrongs.items():
        put_query(folder / "queries", name, sql)
    with opened_access(folder, named=named_in(folder / "queries")) as access:
        access.put.put(messages_of([("a", 7), ("b", 7), ("c", 9), ("d", 3)]))
        wait_until(lambda: access.rows("select count(*) from sales.shop.orders", "grace") == [[4]])
        yield access


def post(access: Access, document: dict[str, Any], who: str = "ada") -> httpx.Response:
    return access.client.post("/sql", json=document, headers=access.headers(who))


def refused(access: Access, document: dict[str, Any], who: str = "ada") -> int:
    return post(access, document, who).status_code


def test_a_named_query_is_answered_with_its_parameters_bound(shared):
    found = post(shared, FIVE)

    assert found.status_code == 200, found.text
    assert found.json()["columns"] == ["n", "orders"]
    assert found.json()["rows"] == [[7, 2], [9, 1]]


@pytest.mark.parametrize(
    "document",
    [
        {"sql": "select 1"},
        {"sql": SQL, "parameters": {"above": 5}},
        {"sql": SQL.replace("n > $above", "true")},
        {"sql": SQL, "parameters": {"above": 5}, "explain": True},
        {"query": "hidden", "parameters": {"above": 5}},
        {"query": "nowhere", "parameters": {"above": 5}},
        {"query": "per-n@9.9.9", "parameters": {"above": 5}},
    ],
)
def test_whoever_is_limited_is_refused_any_other_text_and_name(shared, document):
    assert refused(shared, document) == 403


def test_a_text_beside_a_name_or_a_plan_of_it_is_not_taken(shared):
    for more in ({"sql": "select 1"}, {"explain": True}):
        assert refused(shared, {**FIVE, **more}) == 422


def test_plain_text_is_refused_too_and_what_is_refused_never_reaches_a_worker(shared):
    before = shared.desk.counts["miss"]
    status = shared.ask("select 1").status_code

    assert (status, shared.desk.counts["miss"]) == (403, before)


def test_without_the_check_the_same_text_is_answered(tmp_path):
    put_query(tmp_path / "queries")
    named = named_in(tmp_path / "queries")
    with opened_access(tmp_path, named=named) as access:
        with_check = refused(access, {"sql": "select 1"})
        access.desk.may_ask = lambda _: None
        without = refused(access, {"sql": "select 1"})

    assert (with_check, without) == (403, 200)


def test_a_right_to_one_version_is_none_to_the_next(tmp_path):
    put_query(tmp_path / "queries")
    people: dict[str, Person] = {**PEOPLE, "ada": replace(PEOPLE["ada"], queries=("per-n@1.2.0",))}
    named = named_in(tmp_path / "queries", people)
    newer = {"per-n": replace(named.queries["per-n"], version="1.2.1")}

    assert [each.name for each in named.allowed("ada")] == ["per-n"]
    assert replace(named, queries=newer).allowed("ada") == []


def test_a_named_query_reads_what_its_asker_is_granted_and_no_more(shared):
    ada, grace = (post(shared, {**FIVE, "query": "secrets"}, who) for who in ("ada", "grace"))
    mallory = post(shared, FIVE, "mallory")

    assert (ada.status_code, grace.status_code, mallory.status_code) == (403, 200, 422)
    assert "does not exist" in mallory.text


def test_a_value_that_is_not_as_declared_is_refused_before_anything_runs(shared):
    bad: list[dict[str, Any]] = [{}, {"above": "x"}, {"above": -1}, {"above": 1, "n": 2}]
    for parameters in [*bad, {"above": None}, {"above": [1]}, {"above": "1; drop table x"}]:
        found = post(shared, {"query": "per-n", "parameters": parameters})
        assert found.status_code == 422, parameters
    assert "did you mean" in post(shared, {"query": "per-n", "parameters": {"abov": 1}}).text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong-rule", "n.maximum: row 1: n is above 50"),
        ("wrong-key", "key: row 2: an earlier row has the same"),
        ("wrong-null", "orders.required: row 1"),
        ("wrong-type", "orders.type: it is HUGEINT, not BIGINT"),
        ("wrong-name", "columns: they are not n, orders"),
    ],
)
def test_an_answer_that_breaks_its_contract_is_an_error_with_row_and_rule(shared, name, words):
    before = shared.desk.counts["broken"]
    found = post(shared, {**FIVE, "query": name}, "grace")

    assert found.status_code == 422
    assert words in found.json()["detail"]
    assert shared.desk.counts["broken"] == before + 1
    assert f'outcome="broken"}} {before + 1}' in shared.client.get("/metrics").text


def test_a_list_has_what_its_reader_may_ask_with_what_it_has_cost(shared):
    post(shared, FIVE)
    shared.notes.settle()
    ada, grace = (
        shared.client.get("/queries", headers=shared.headers(who)).json()["queries"]
        for who in ("ada", "grace")
    )

    assert [each["name"] for each in ada] == ["per-n"]
    assert {"per-n", "hidden", "secrets"} <= {each["name"] for each in grace}
    assert ada[0]["cost"]["answered"] > 0
    assert shared.client.get("/queries").status_code == 401


def test_a_query_is_shown_with_its_last_runs_and_another_is_not(shared):
    post(shared, FIVE)
    shared.notes.settle()
    found = shared.client.get("/queries/per-n", headers=shared.headers()).json()
    hidden = shared.client.get("/queries/hidden", headers=shared.headers())

    assert found["owner"] == "grace"
    assert [each["type"] for each in found["parameters"]] == ["BIGINT"]
    assert found["runs"][0].items() >= {"principal": "ada", "rows": 2}.items()
    assert found["runs"][0]["offsets"] == {EVENTS.topic: {"0": 7}}
    assert hidden.status_code == 403


def test_what_ran_is_kept_over_a_restart_and_no_value_of_it(tmp_path):
    put_query(tmp_path / "queries")
    text = "select count(*) from sales.shop.orders o join sales.shop.secrets s using (id)"
    with opened_access(tmp_path, named=named_in(tmp_path / "queries")) as access:
        access.put.put(messages_of([("a", 7)]))
        wait_until(lambda: access.rows("select count(*) from sales.shop.orders", "grace") == [[1]])
        post(access, {"query": "per-n", "parameters": {"above": SECRET}})
        access.ask(f"{text} where o.id = 'abracadabra' and o.n <> 4711", "grace")
        access.notes.settle()
    with Notes(tmp_path / "sql" / "notes.sqlite") as notes:
        runs, together = notes.runs("per-n"), notes.together(EVENTS.id)

    assert [each["principal"] for each in runs] == ["ada"]
    assert [(each["port"], each["queries"]) for each in together] == [("shop.secrets", 1)]
    assert together[0]["on"] == [{"field": "id", "other": "id", "queries": 1}]
    for path in [each for each in (tmp_path / "sql").rglob("*") if each.is_file()]:
        data = path.read_bytes()
        assert b"abracadabra" not in data, path
        assert path.suffix != ".sqlite" or (b"4711" not in data and b"select" not in data[4096:])


def put(access: Access, text: str, who: str = "grace", name: str = "new") -> httpx.Response:
    return access.client.put(f"/queries/{name}", content=text, headers=access.headers(who))


def test_a_query_that_its_owner_registers_is_asked_at_once_and_after_a_restart(tmp_path):
    text = PER_N.format(name="new", sql=SQL)
    (tmp_path / "none").mkdir()
    named = named_in(tmp_path / "none", {"grace": PEOPLE["grace"]})
    with opened_access(tmp_path, named=named) as access:
        before = refused(access, {**FIVE, "query": "new"}, "grace")
        found = put(access, text)
        after = post(access, {**FIVE, "query": "new"}, "grace").json()["columns"]
    assert (before, found.json()["version"], after) == (404, "1.2.0", ["n", "orders"])

    with opened_access(tmp_path, named=named) as access:
        assert refused(access, {**FIVE, "query": "new"}, "grace") == 200


def test_only_its_owner_registers_a_query_and_each_change_has_a_higher_version(shared):
    text = PER_N.format(name="new", sql=SQL)
    other = text.replace("order by n", "order by n desc")
    shipped = PER_N.format(name="per-n", sql=SQL).replace("1.2.0", "9.0.0")
    assert put(shared, text, "mallory").status_code == 403
    assert put(shared, text.replace("owner: grace", "owner: ada"), "ada").status_code == 403
    assert put(shared, text).status_code == 200
    assert put(shared, text).status_code == 200
    assert put(shared, other).status_code == 422
    assert put(shared, other.replace("1.2.0", "1.10.0")).status_code == 200
    assert put(shared, text.replace("owner: grace", "owner: ada"), "grace").status_code == 403
    assert put(shared, shipped, "grace", "per-n").status_code == 422


def test_what_is_no_query_is_not_registered_and_its_faults_are_told_by_line(shared):
    text = PER_N.format(name="wrong", sql=SQL)
    bad = put(shared, text.replace("$above", "1"), name="wrong")
    strange = put(shared, text.replace("owner: grace", "owner: nobody"), name="wrong")

    assert (bad.status_code, strange.status_code) == (422, 422)
    assert bad.json()["detail"].startswith("wrong.sql:20: the parameter above is not used")
    assert put(shared, text, name="..%2Fwrong").status_code in (404, 405, 422)
    assert refused(shared, {**FIVE, "query": "wrong"}, "grace") == 404


def test_a_number_that_is_too_large_is_refused_in_words(shared):
    answer = post(shared, {"query": "per-n", "parameters": {"above": 10**30}})

    assert answer.status_code == 422
    assert "per-n cannot be asked so" in answer.json()["detail"]
