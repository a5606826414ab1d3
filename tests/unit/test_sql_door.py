"""The SQL access point over HTTP: who is answered what, in which format, and for how long."""

from __future__ import annotations

import io
import json
import threading

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mesh.sql.limits import Limits, missing
from tests.life import wait_until
from tests.sql import EVENTS, messages_of, opened_access

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
ORDERS = "sales.shop.orders"
COUNT = f"select count(*) from {ORDERS}"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One access point, for tests that change nothing."""
    with opened_access(tmp_path_factory.mktemp("sql")) as found:
        found.put.put(messages_of([("a", 1), ("b", 2), ("c", 3)]))
        wait_until(lambda: found.rows(COUNT) == [[3]])
        yield found


@pytest.fixture
def access(tmp_path):
    """An access point of the test's own, whose queries may take long."""
    with opened_access(tmp_path, Limits(cpu_s=600, clock_s=600)) as found:
        yield found


def test_rows_come_in_every_format_with_their_offsets(shared):
    sql = f"select id, n from {ORDERS} order by id"
    answers = {form: shared.ask(sql, params={"format": form}) for form in ("json", "csv")}
    arrow = shared.ask(sql, headers={"Accept": "application/vnd.apache.arrow.stream"})
    parquet = shared.ask(sql, headers={"Accept": "application/vnd.apache.parquet"})
    offsets = {EVENTS.topic: {"0": 5}}

    assert answers["json"].json()["rows"] == [["a", 1], ["b", 2], ["c", 3]]
    assert answers["json"].json()["offsets"] == offsets
    assert answers["csv"].text == 'id,n\n"a",1\n"b",2\n"c",3\n'
    assert json.loads(answers["csv"].headers["Mesh-Offsets"]) == offsets
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.to_pydict() == {"id": ["a", "b", "c"], "n": [1, 2, 3]}
    assert json.loads(table.schema.metadata[b"mesh.offsets"]) == offsets
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 3


def test_parameters_are_values_and_never_sql(shared):
    headers = shared.headers()
    sql = f"select n from {ORDERS} where id = $1"
    for value, rows in (("b", [[2]]), ("b' or true --", [])):
        document = {"sql": sql, "parameters": [value]}
        assert shared.client.post("/sql", json=document, headers=headers).json()["rows"] == rows
    named = {"sql": f"select n from {ORDERS} where id = $key", "parameters": {"key": "c"}}
    assert shared.client.post("/sql", json=named, headers=headers).json()["rows"] == [[3]]


def test_tables_are_listed_to_whom_they_are_granted(shared):
    names = {
        who: [
            each["name"]
            for each in shared.client.get("/tables", headers=shared.headers(who)).json()["tables"]
        ]
        for who in ("ada", "grace", "mallory")
    }

    assert names == {
        "ada": [ORDERS],
        "grace": [ORDERS, "sales.shop.secrets"],
        "mallory": [],
    }


def test_a_port_that_is_not_granted_is_not_known_and_no_token_is_no_answer(shared):
    hidden, absent = (shared.ask(f"from sales.shop.{each}") for each in ("secrets", "nothing"))

    assert hidden.status_code == absent.status_code == 422
    # What it says then is the granted name that is most like the one that was asked for.
    said = [each.json()["detail"].partition(" Did you mean")[0] for each in (hidden, absent)]
    assert said[0].replace("secrets", "nothing") == said[1]
    assert "secrets" not in hidden.text.replace(said[0], "")
    assert shared.ask("from sales.shop.secrets", "grace").status_code == 200
    assert shared.ask(f"from {ORDERS}", "mallory").status_code == 422
    forged = shared.client.post("/sql", content=COUNT, headers={"Authorization": "Bearer x"})
    assert forged.status_code == 401
    assert shared.client.post("/sql", content=COUNT).status_code in (401, 403)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("\xff", "text/plain"),
        ("[]", "application/json"),
        ('{"sql": 1}', "application/json"),
        ('{"sql": "select 1", "parameters": 1}', "application/json"),
        ("[" * 100_000, "application/json"),
        ("select 1 " + " " * 100_000, "text/plain"),
        ("", "text/plain"),
        ("select", "text/plain"),
    ],
)
def test_what_is_no_query_is_refused_in_words(shared, body, kind):
    headers = {**shared.headers(), "Content-Type": kind}
    response = shared.client.post("/sql", content=body.encode("latin-1"), headers=headers)

    assert response.status_code == 422
    assert response.json()["detail"]
    assert "\n" not in response.json()["detail"]


def test_an_answer_is_kept_until_rows_or_rights_change(access):
    access.put.put(messages_of([("a", 1)]))
    wait_until(lambda: access.rows(COUNT) == [[1]])
    first, second = access.ask(COUNT), access.ask(COUNT)
    assert second.headers["Mesh-Cache"] == "hit"
    assert second.json() == first.json()
    assert int(second.headers["Age"]) >= 0
    # Another principal's answer is its own, whatever it is granted.
    assert access.ask(COUNT, "grace").headers["Mesh-Cache"] == "miss"

    access.put.put(messages_of([("b", 2)], first=10))
    wait_until(lambda: access.rows(COUNT) == [[2]])
    access.granted["ada"] = frozenset()
    assert access.ask(COUNT).status_code == 422
    access.granted["ada"] = frozenset({EVENTS.id})
    access.desk.revoke("ada", ())
    assert access.ask(COUNT).headers["Mesh-Cache"] == "miss"


def test_what_does_not_say_the_same_again_is_asked_again(shared):
    answers = [shared.ask("select random()") for _ in range(2)]

    assert [each.headers["Mesh-Cache"] for each in answers] == ["miss", "miss"]
    assert answers[0].json()["rows"] != answers[1].json()["rows"]


def in_background(access, sql, id_):
    """A query that is on its way, and what becomes of it."""
    found: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: found.append(access.ask(sql, headers={"Mesh-Query": id_})), daemon=True
    )
    thread.start()
    wait_until(lambda: access.desk.pool.running == 1)
    return thread, found


def test_a_query_is_cancelled_by_whose_it_is(access):
    thread, found = in_background(access, "select sleep_ms(600000)", "mine")

    def cancel(who):
        return access.client.delete("/queries/mine", headers=access.headers(who)).status_code

    assert cancel("grace") == 404
    assert wait_until(lambda: cancel("ada") == 200)
    thread.join(30)
    assert found[0].status_code == 422
    assert "cancelled" in found[0].text
    assert access.rows(COUNT) == [[0]]


def test_whoever_goes_away_ends_the_query(access):
    with pytest.raises(httpx.ReadTimeout):
        access.ask("select sleep_ms(600000)", timeout=1)

    wait_until(lambda: access.desk.pool.running == 0)
    assert access.rows(COUNT) == [[0]]


def test_whoever_reads_a_part_only_ends_the_query(access):
    request = access.client.build_request(
        "POST", "/sql", content="from range(1000000000)", headers=access.headers()
    )
    response = access.client.send(request, stream=True)
    next(response.iter_raw())
    response.close()

    wait_until(lambda: access.desk.pool.running == 0)
    assert access.rows(COUNT) == [[0]]


def test_rights_that_are_gone_end_what_runs_and_drop_the_copies(access):
    thread, found = in_background(access, "select sleep_ms(600000)", "mine")
    access.desk.look_at_rights()
    assert thread.is_alive()
    old = access.desk.shelf.current([EVENTS.id])[0].copy.path
    access.granted["ada"] = frozenset()
    access.desk.look_at_rights()
    thread.join(5)

    assert "rights have changed" in found[0].text
    assert not old.exists()
    assert access.ask(COUNT).status_code == 422
    assert access.ask(COUNT, "grace").json()["rows"] == [[0]]


def test_a_plan_is_shown_and_the_query_not_run(shared):
    document = {"sql": COUNT, "explain": True}
    response = shared.client.post("/sql", json=document, headers=shared.headers())

    assert "SCAN" in str(response.json()["rows"])


def test_figures_tell_what_was_asked(shared):
    shared.ask(COUNT)
    text = shared.client.get("/metrics").text
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert found["mesh_sql_queries_total", "answered"] > 0
    assert found["mesh_sql_cache_total", "hit"] > 0
    assert found["mesh_sql_cache_age_seconds_total",] > 0
    assert found["mesh_sql_running",] == 0


def test_without_the_limits_nothing_is_answered_and_the_reason_said(tmp_path):
    why_not = missing("darwin", "arm64")
    with opened_access(tmp_path, why_not=why_not) as access:
        response = access.ask(COUNT)

    assert response.status_code == 503
    assert "exist on Linux alone" in response.text
