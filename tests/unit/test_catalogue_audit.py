"""The pages of the change audit log: what is open is told, what is personal is proven only."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.note import LogKey
from mesh.audit.proof import verified
from tests.audited import CALLER, HOSTILE_KEY, TARIFFS, audited, audited_shelf
from tests.shelves import AWAY, HTML, pages_app, served

CHANGES, HISTORY = "/products/billing/changes/tariffs", "/products/billing/history/tariffs"
CALLS = "/products/call-center/changes/calls"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    shelf = audited_shelf()
    with (
        audited(tmp_path_factory.mktemp("audit"), shelf) as door,
        served(pages_app(shelf, audit=door), tmp_path_factory.mktemp("pages")) as found,
    ):
        yield found


def pages_of(client, path):
    """Every change, page by page."""
    found, query = [], {}
    while query is not None:
        document = client.get(path, params=query).json()
        found.append(document["changes"])
        query = {"before": document["older"]} if document["older"] else None
    return found


def test_the_newest_changes_of_all_partitions_come_first_and_none_is_left_out(client):
    pages = pages_of(client, CHANGES)
    changes = [each for page in pages for each in page]

    assert [len(each) for each in pages] == [20, 20, 4]
    assert len({(each["partition"], each["offset"]) for each in changes}) == 44
    assert [each["at"] for each in changes] == sorted(
        (each["at"] for each in changes), reverse=True
    )
    assert {each["partition"] for each in pages[0]} == {0, 1}


def test_an_open_port_tells_what_was_changed_from_what_to_what(client):
    changes = client.get(HISTORY, params={"key": "T-01"}).json()["changes"]
    page = client.get(HISTORY, params={"key": "T-01"}, headers=HTML).text
    ended = client.get(HISTORY, params={"key": "T-02"}).json()["changes"]

    assert [(each["change"], each["writer"]) for each in changes] == [
        ("created", "billing"), ("changed", "billing"),
    ]  # fmt: skip
    assert changes[1]["fields"] == [{"name": "price", "before": "1", "after": "12.50"}]
    assert "<del><bdi>1</bdi></del> → <ins><bdi>12.50</bdi></ins>" in page
    assert [each["change"] for each in ended] == ["created", "deleted"]
    assert "No message with this key" in client.get(f"{HISTORY}?key=T-99", headers=HTML).text


def test_a_personal_port_tells_when_something_was_said_and_not_what_or_of_whom(client):
    document = client.get(CALLS).json()
    texts = [client.get(CALLS, headers=headers).text for headers in (HTML, {})]
    change = document["changes"][0]

    assert len(document["changes"]) == 20
    assert (change["writer"], change["partition"], change["offset"]) == ("call-center", 0, 58)
    assert (change["key"], change["change"], change["fields"]) == (None, None, [])
    assert not any(CALLER in each for each in texts)
    assert "mesh audit history call-center.calls KEY" in texts[0]
    assert "What was said is not shown here" in texts[0]


def test_whether_a_key_is_in_a_personal_port_is_not_told_either(client):
    path = "/products/call-center/history/calls"
    known, other = (client.get(path, params={"key": each}).json() for each in (CALLER, "+1"))

    assert {**known, "key": "", "command": ""} == {**other, "key": "", "command": ""}
    assert known["changes"] == []
    page = client.get(path, params={"key": f"-{CALLER} x"}, headers=HTML).text
    assert f"mesh audit history -- call-center.calls &#39;-{CALLER} x&#39;" in page


@pytest.mark.parametrize(
    "changed",
    [
        {"access": "ask"},
        {"fields": (TARIFFS.fields[0], replace(TARIFFS.fields[1], is_personal=True))},
        {"fields": (TARIFFS.fields[0], replace(TARIFFS.fields[1], classification="secret"))},
        {"fields": (replace(TARIFFS.fields[0], identifier="phone-number"), TARIFFS.fields[1])},
    ],
    ids=["ask", "personal", "classified", "identifier"],
)
def test_what_is_not_everybodys_is_refused_to_the_catalogue_by_the_service_too(tmp_path, changed):
    closed = audited_shelf(replace(TARIFFS, **changed))
    with audited(tmp_path / "audit", closed) as door:
        with served(pages_app(closed, audit=door), tmp_path / "a") as client:
            document = client.get(CHANGES).json()
        with served(pages_app(audited_shelf(), audit=door), tmp_path / "b") as client:
            answers = [client.get(path) for path in (CHANGES, f"{HISTORY}?key=T-01")]

    assert not document["is_open"]
    assert "12.50" not in str(document)
    assert [each.status_code for each in answers] == [403, 403]
    assert all("does not show this to everybody" in each.json()["detail"] for each in answers)


def test_proofs_and_checkpoints_that_were_taken_away_hold(client):
    document = client.get("/audit").json()
    key = LogKey.parse(document["key"])
    for log in document["logs"]:
        note, proof = client.get(log["checkpoint"]), client.get(log["proof"])
        checkpoint, proven = Checkpoint.opened(note.text, key), verified(proof.text, key)

        assert "attachment" in note.headers["Content-Disposition"]
        assert proof.headers["Content-Disposition"].endswith('.tlog-proof"')
        assert checkpoint.size == proven.size == log["entries"]
        assert log["root"] in note.text.splitlines()
        assert proven.entry.at.isoformat() == log["newest_at"]
        assert proven.message is None
        assert verified(proof.text, LogKey.parse(log["key"])).index == proven.index
    for each in pages_of(client, CALLS)[-1]:
        assert verified(client.get(each["proof"]).text, key).entry.offset == each["offset"]


def test_the_page_of_logs_names_key_root_and_newest_entry_of_each(client):
    document = client.get("/audit").json()
    page = client.get("/audit", headers=HTML).text
    one = client.get("/audit", params={"topic": TARIFFS.topic}).json()

    assert (document["count"], one["count"]) == (3, 2)
    assert document["key"] in page
    for log in document["logs"]:
        assert log["topic"] in page
        assert log["newest_at"] in page
    assert "There is no log of this topic" in client.get("/audit?topic=no", headers=HTML).text


def test_a_key_that_is_html_is_text_and_its_history_is_found(client):
    page = client.get(CHANGES, headers=HTML).text
    link = next(each for each in re.findall(r'href="([^"]+)"', page) if "%3Cimg" in each)
    found = client.get(link).json()

    assert "<img" not in page
    assert (found["key"], found["count"]) == (HOSTILE_KEY, 1)
    assert "<img" not in client.get(link, headers=HTML).text


@pytest.mark.parametrize("path", [CHANGES, CALLS, f"{HISTORY}?key=T-01", "/audit"])
def test_an_audit_service_that_is_away_is_a_sentence(tmp_path, path):
    nobody = replace(AWAY, address=lambda: "http://127.0.0.1:9", token=lambda _: "x")
    for number, (door, words) in enumerate([(AWAY, "does not run"), (nobody, "does not answer")]):
        with served(pages_app(audited_shelf(), audit=door), tmp_path / str(number)) as client:
            page, data = client.get(path, headers=HTML), client.get(path)

        assert page.status_code == data.status_code == 503
        assert words in page.text or "no token" in page.text
        assert "All products" in page.text or "all products" in page.text
        assert data.json()["detail"].startswith(("the audit service", "there is no token"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/products/nope/changes/calls", 404),
        ("/products/call-center/changes/nope", 404),
        ("/products/call-center/history/calls", 422),
        (f"{CHANGES}?before=x", 422),
        (f"{CHANGES}?before=0:1", 422),
        ("/audit/pub.x/AAAAAAAAAAAAAAAAAAAAAA/0/checkpoint", 404),
        ("/audit/pub.x/AAAAAAAAAAAAAAAAAAAAAA/0/proof/1", 404),
        ("/audit/../AAAAAAAAAAAAAAAAAAAAAA/0/proof/1", 404),
        ("/audit/priv.x/AAAAAAAAAAAAAAAAAAAAAA/0/proof/1", 422),
        ("/audit/pub.x/status/0/checkpoint", 422),
    ],
)
def test_what_is_not_there_or_no_moment_is_said_so(client, path, status):
    assert client.get(path).status_code == status
    assert client.get(path, headers=HTML).status_code == status


def test_an_answer_that_is_none_is_a_sentence_too(tmp_path):
    for number, body in enumerate([b"no json", b"[1, 2", b"3", b'{"changes": [1, {}]}']):
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, content=body))
        door = replace(AWAY, client=httpx.Client(transport=transport), address=lambda: "http://x")
        with served(pages_app(audited_shelf(), audit=door), tmp_path / str(number)) as client:
            for path in (CALLS, "/audit"):
                assert client.get(path, headers=HTML).status_code in (200, 503)
