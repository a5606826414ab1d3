"""Whoever is signed in on a page does there what a command does, as that person and no other."""

from __future__ import annotations

import pytest

from catalog.login import place_in
from mesh.sql.limits import missing
from tests.access import CALLS, PURPOSE
from tests.shelves import HTML
from tests.signed import ORDERS, opened_orders

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
BY_ID = f"select id, n from {ORDERS} order by id"
GRANT = {"port": CALLS, "principal": "mallory", "for_s": "86400"}


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    with opened_orders(tmp_path_factory.mktemp("signed")) as found:
        yield found


@pytest.mark.parametrize("path", ["/sql", "/access", "/sql?sql=select%201"])
def test_who_is_not_signed_in_is_told_how_and_shown_nothing(signed, path):
    page = signed.client.get(path, headers=HTML)

    assert page.status_code == 200
    assert "mesh token --as ME --for catalogue.pages" in page.text
    assert ORDERS not in page.text
    assert signed.client.get(path).json()["principal"] is None
    assert signed.client.post("/sql", data={"sql": BY_ID}).status_code == 403
    ours = {"Origin": signed.address}
    late = signed.client.post("/sql", data={"sql": "select 'kept'"}, headers={**HTML, **ours})
    assert late.status_code == 401
    assert "select%2520%2527kept%2527" in late.text


def test_the_login_asks_the_browser_and_goes_on_to_the_page(signed):
    stranger = signed.client.get("/login?to=/sql", headers=HTML)
    ada = signed.client.get("/login?to=/sql", headers=signed.headers("ada"))
    other = signed.client.get("/login?to=/sql&other=ada", headers=signed.headers("ada"))

    assert (stranger.status_code, other.status_code) == (401, 401)
    assert stranger.headers["WWW-Authenticate"].startswith("Basic ")
    assert (ada.status_code, ada.headers["Location"]) == (303, "/sql")


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb", "evil", "/\t/e"],
)
def test_a_login_leads_nowhere_else(signed, to):
    found = signed.client.get("/login", params={"to": to}, headers=signed.headers("ada"))

    assert place_in(to) == found.headers["Location"] == "/"


def test_a_token_of_another_door_another_name_or_none_signs_nobody_in(signed):
    ways = [
        ("ada", signed.token("ada", "sql")),
        ("ada", signed.token("ada", "call-center")),
        ("grace", signed.token("ada")),
        ("ada", "secret of ada"),
    ]
    for login in ways:
        answer = signed.client.get("/sql", auth=login)
        assert answer.json()["principal"] is None
    for header in ("Basic %%%", "Basic YQ==", "Digest x", "Basic /w==", ""):
        answer = signed.client.get("/sql", headers={"Authorization": header})
        assert answer.json()["principal"] is None
    assert signed.client.get("/sql", auth=("ada", signed.token("ada"))).json()["principal"] == "ada"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:9"])
def test_a_form_of_another_page_does_nothing(signed, origin):
    form = {"port": CALLS, "purpose": PURPOSE}
    answer = signed.post("/access/request", "mallory", form, Origin=origin)
    query = signed.post("/sql", "ada", {"sql": BY_ID}, Origin=origin)

    assert (answer.status_code, query.status_code) == (403, 403)
    assert f"{CALLS}/mallory" not in signed.desk.acts


def test_no_answer_of_a_person_is_kept_by_anybody(signed):
    for answer in (
        signed.client.get("/sql", headers=signed.headers("ada")),
        signed.client.get("/access", headers=signed.headers("ada")),
        signed.post("/sql", "ada", {"sql": BY_ID}),
        signed.client.get("/sql", headers=HTML),
    ):
        assert answer.headers["Cache-Control"] == "no-store, private"
        assert "Authorization" in answer.headers["Vary"]


def test_an_owner_grants_and_revokes_what_was_asked_for_on_pages(signed):
    product = signed.client.get("/products/call-center", headers=HTML).text
    assert f'name="port" value="{CALLS}"' in product
    asking = signed.client.get(
        "/access", params={"port": CALLS, "purpose": PURPOSE}, headers=signed.headers("mallory")
    )
    assert f'value="{PURPOSE}"' in asking.text

    done = signed.post("/access/request", "mallory", {"port": CALLS, "purpose": PURPOSE})
    waiting = signed.client.get("/access", headers=signed.headers("grace")).text
    granted = signed.post("/access/grant", "grace", GRANT)
    seen = [readers(signed)]
    revoked = signed.post("/access/revoke", "grace", {**GRANT, "reason": "It is enough."})
    seen.append(readers(signed))

    assert "requested for <bdi>mallory" in done.text
    assert "Grant <bdi>mallory" in waiting
    assert PURPOSE in waiting
    assert "granted for <bdi>mallory" in granted.text
    assert "revoked for <bdi>mallory" in revoked.text
    assert ["mallory" in each for each in seen] == [True, False]
    act = signed.desk.acts[f"{CALLS}/mallory"]
    assert (act.state, act.by, act.reason, act.purpose) == (
        "revoked", "grace", "It is enough.", PURPOSE,
    )  # fmt: skip


def readers(signed):
    """Who reads the calls, as the product's page says."""
    ports = signed.client.get("/products/call-center").json()["ports"]
    return next(each["people"] for each in ports if each["contract"] == CALLS)


def test_who_does_not_own_a_port_sees_no_button_and_is_refused_by_the_service(signed):
    signed.post("/access/request", "mallory", {"port": CALLS, "purpose": PURPOSE})
    page = signed.client.get("/access", headers=signed.headers("ada")).text
    answers = [
        signed.post("/access/grant", "mallory", GRANT),
        signed.post("/access/grant", "ada", GRANT),
        signed.post("/access/revoke", "ada", GRANT),
    ]

    assert "/access/grant" not in page
    assert "mallory" not in page
    assert [each.status_code for each in answers] == [403, 403, 403]
    assert all("does not own call-center" in each.text for each in answers)
    assert signed.desk.acts[f"{CALLS}/mallory"].state == "requested"
    done = signed.post("/access/revoke", "mallory", GRANT)
    assert "refused for <bdi>mallory" in done.text


@pytest.mark.parametrize(
    "form", [{}, {"port": "nope"}, {**GRANT, "for_s": "x"}, {"for_s": "9" * 99}]
)
def test_a_form_that_makes_no_sense_is_refused_in_words(signed, form):
    answer = signed.post("/access/grant", "grace", form)

    assert 400 <= answer.status_code < 500
    assert 'role="alert"' in answer.text


def test_a_service_that_is_away_is_said_to_be(signed):
    kept = dict(signed.addresses)
    signed.addresses |= {"sql": "http://127.0.0.1:9"}
    signed.addresses.pop("access")
    try:
        answers = [
            signed.client.get("/sql", headers=signed.headers("ada")),
            signed.post("/sql", "ada", {"sql": BY_ID}),
            signed.client.get("/access", headers=signed.headers("ada")),
        ]
    finally:
        signed.addresses |= kept

    assert [each.status_code for each in answers] == [503, 503, 503]
    assert "the service sql does not answer" in answers[1].text
    assert "the service access does not run here" in answers[2].text
    assert f"{BY_ID}</textarea>" in answers[1].text
