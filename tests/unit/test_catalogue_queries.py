"""Pages of named queries: whoever is signed in sees those that it may ask, and what they cost."""

from __future__ import annotations

import shlex

import httpx
import pytest
from markupsafe import escape

from catalog.together import Together
from mesh.errors import Unreachable
from mesh.sql.limits import missing
from tests.life import wait_until
from tests.marts import put_mart
from tests.queries import named_in, put_query
from tests.shelves import HTML, pages_app, served, shipped_shelf
from tests.signed import ORDERS, signed_pages
from tests.sql import EVENTS, messages_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
JSON = {"Accept": "application/json"}
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queries")
    put_query(folder / "queries")
    put_query(folder / "queries", "hidden")
    put_mart(folder / "queries", "kept")
    with signed_pages(folder, named=named_in(folder / "queries")) as found:
        found.sql.put.put(messages_of([("a", 1), ("b", 2)]))
        count = f"select count(*) from {ORDERS}"
        wait_until(lambda: found.sql.rows(count, "grace") == [[2]])
        assert found.sql.marts.step() == []
        asked = {"query": "per-n", "parameters": {"above": 0}}
        headers = found.sql.headers("ada")
        assert found.sql.client.post("/sql", json=asked, headers=headers).status_code == 200
        found.sql.notes.settle()
        yield found


def page_of(signed, path, who="ada"):
    return signed.client.get(path, headers=signed.headers(who))


def test_whoever_is_limited_sees_the_own_queries_alone(signed):
    ada, grace = (page_of(signed, "/queries", who).text for who in ("ada", "grace"))

    assert "/queries/per-n" in ada
    assert "/queries/hidden" not in ada
    assert "/queries/hidden" in grace
    assert page_of(signed, "/queries/hidden").status_code == 403
    assert page_of(signed, "/queries/nowhere", "grace").status_code == 404


def test_a_query_has_its_owner_its_contract_its_cost_its_runs_and_a_command(signed):
    page = page_of(signed, "/queries/per-n").text
    found = signed.client.get("/queries/per-n", headers={**signed.headers("ada"), **JSON}).json()

    for words in ("grace", "above", "BIGINT", "required", "1, and 0 from the cache", "select n"):
        assert words in page, words
    assert [each["principal"] for each in found["runs"]] == ["ada"]
    command = "mesh query run per-n --param=above=VALUE --as ada"
    assert shlex.split(found["command"]) == shlex.split(command)


def test_the_page_of_a_query_that_is_kept_says_where_its_rows_are(signed):
    kept = page_of(signed, "/queries/kept", "grace").text
    headers = {**signed.headers("grace"), **JSON}
    (mart,) = signed.client.get("/queries/kept", headers=headers).json()["marts"]

    assert f"table <code><bdi>{mart['table']}</bdi></code>" in kept
    assert (mart["query"], mart["is_behind"]) == ("kept", False)
    assert "Kept as a mart" not in page_of(signed, "/queries/per-n", "grace").text


def test_whoever_is_not_signed_in_is_asked_to(signed):
    assert "/login?to=%2Fqueries%2Fper-n" in signed.client.get("/queries/per-n", headers=HTML).text


def test_a_products_page_says_with_what_its_ports_are_asked_and_which_marts_read_them(tmp_path):
    on = [{"field": "phone_number", "other": "from_id", "queries": 3}]
    used = [{"port": "key-ring.links", "queries": 4, "last_at": "2026-01-01", "on": on}]
    used.append({"port": EVIL, "queries": 1, "last_at": "2026-01-01", "on": []})
    marts = [{"table": "marts.x.per_day", "query": "per-day", "owner": EVIL}]
    said = {"together": {"call-center.calls": used}, "marts": {"call-center.calls": marts}}
    app = pages_app(shipped_shelf(), together=lambda: said)
    with served(app, tmp_path) as client:
        page = client.get("/products/call-center", headers=HTML).text
        ports = client.get("/products/call-center", headers=JSON).json()["ports"]

    assert "Often used with" in page
    assert "phone_number = from_id" in page
    assert '<a href="/queries/per-day">' in page
    assert EVIL not in page
    assert (ports[0]["together"], ports[0]["marts"]) == (used, marts)


def test_what_is_asked_together_is_told_by_the_service_and_kept_a_while(signed):
    sql = f"select count(*) from {ORDERS} o join sales.shop.secrets s using (id)"
    signed.sql.rows(sql, "grace")
    signed.sql.notes.settle()
    found = signed.together()

    assert [each["port"] for each in found["together"][EVENTS.id]] == ["shop.secrets"]
    table = {"table": "marts.sales.kept", "query": "kept", "owner": "grace"}
    assert found["marts"] == {EVENTS.id: [table]}
    assert signed.together() is found


def test_where_nobody_tells_it_nothing_is_said(tmp_path):
    def no_token(_name):
        raise Unreachable("nobody gives a token")

    with httpx.Client() as client:
        away = Together(client=client, address=lambda: None, token=no_token)
        silent = Together(client=client, address=lambda: "http://127.0.0.1:9", token=str)
        nobody = Together(client=client, address=lambda: "http://127.0.0.1:9", token=no_token)
        assert away() == silent() == nobody() == {}


def test_a_mart_says_its_rows_how_fresh_it_is_for_which_offsets_and_why_it_stays(signed):
    def mart():
        found = signed.client.get("/queries", headers={**signed.headers("grace"), **JSON}).json()
        return found["marts"][0], page_of(signed, "/queries", "grace").text

    fresh, page = mart()
    signed.sql.put.put(messages_of([("c", 99)], first=4))
    wait_until(lambda: mart()[0]["is_behind"])
    ((_, reason),) = wait_until(signed.sql.marts.step)
    stays, later = mart()

    assert (fresh["rows"], fresh["is_behind"]) == (1, False)
    for words in ("marts.sales.kept", fresh["refreshed_at"], "partition 0 before 3"):
        assert words in page, words
    assert "n is above 50" in reason
    assert (stays["rows"], stays["offsets"], stays["reason"]) == (1, fresh["offsets"], reason)
    assert f"not refreshed: <bdi>{escape(reason)}</bdi>" in later
    assert "marts.sales.kept" not in page_of(signed, "/queries", "mallory").text
