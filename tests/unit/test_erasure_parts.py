"""What an erasure is made of: where to look, what came from where, what is kept of a request."""

from __future__ import annotations

import hashlib
import stat

import pytest

from mesh.contract.project import load_project
from mesh.contract.whose import ALWAYS, Whose
from mesh.control.erasing import erasing_rights
from mesh.erasure.orphans import orphans
from mesh.erasure.places import places_of
from mesh.erasure.request import Request
from mesh.erasure.saying import digest, of_topics
from mesh.erasure.search import Found
from mesh.errors import StorageError, WrongUse
from mesh.home import Home
from tests.life import ROOT

WHOSE = Whose(person="P-000001", spans={"C-000000001": ((ALWAYS, 7),)}, format="^P-[0-9]+$")
STAGING = "priv.customer-service.call-center.finished-calls.v1"
CALLS = "pub.customer-service.call-center.calls.v1"


@pytest.fixture(scope="module")
def project():
    return load_project(ROOT)


@pytest.fixture(scope="module")
def places(project):
    return {each.topic: each for each in places_of(project)}


@pytest.fixture
def home(tmp_path):
    return Home.open(tmp_path / "home")


def test_every_topic_that_may_be_personal_is_looked_at(project, places):
    contracts = [each for each in project.contracts.values() if each.is_streamed]
    personal = {each.topic for each in contracts if each.has_personal_fields}

    assert personal <= places.keys()
    assert places[STAGING].kind == "staging"
    assert places[CALLS].writer == "call-center"
    assert {each.kind for each in places.values()} == {"staging", "port", "rejected", "retry"}


def test_whoever_erases_writes_no_public_topic_but_its_own(project):
    rights = [each for each in erasing_rights(project) if each.principal == "mesh-erasure"]
    written = {each.name for each in rights if each.operation == "WRITE" and each.kind == "topic"}

    assert {each for each in written if each.startswith("pub.")} == {"pub.mesh.audit.erasures.v1"}
    assert STAGING in written
    deleted = {each.name for each in rights if each.operation == "DELETE"}
    assert deleted
    assert all(".retry." in each for each in deleted)


def test_a_row_whose_message_is_gone_is_erased_by_its_key_where_that_is_the_same(places):
    links = "pub.identity.key-ring.links.v1"
    staging, calls, derived = (Found(place=places[each]) for each in (STAGING, CALLS, links))
    calls.standing = {b"1": 0, b"2": 3, b"3": 1}
    calls.causes = {b"1": (STAGING, 2), b"2": ("pub.elsewhere.a.b.v1", 0)}
    derived.standing, derived.causes = {b"4": 0}, {b"4": (STAGING, 0)}

    assert orphans([staging, calls, derived]) == {STAGING: {b"1": 2}}


def test_a_request_that_was_begun_is_gone_on_with_and_forgotten_at_its_end(home):
    request = Request.begin(home, "2026-17", WHOSE)
    request.keys = {"a.topic": {b"\xff", b"k"}}
    request.settings = {"a.topic": {"segment.ms": None, "min.compaction.lag.ms": "1"}}
    request.save()

    assert Request.find(home, "2026-17") == request
    assert stat.S_IMODE(request.path.stat().st_mode) == 0o600
    request.end()
    assert Request.find(home, "2026-17") is None
    assert list(request.path.parent.iterdir()) == []


@pytest.mark.parametrize("id_", ["", "../x", "a/b", "x" * 65, ".hidden", "a b"])
def test_an_id_that_is_no_name_of_a_file_is_refused(home, id_):
    with pytest.raises(WrongUse):
        Request.find(home, id_)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": {}, "whose": {}, "settings": {}}'])
def test_a_damaged_request_is_named(home, text):
    request = Request.begin(home, "2026-17", WHOSE)
    request.path.write_text(text)

    with pytest.raises(StorageError, match=r"2026-17\.json"):
        Request.find(home, "2026-17")


def test_the_digest_is_of_lines_in_order_of_number():
    lines = b"0/2\n0/10\n1/0\n"

    assert digest([(1, 0), (0, 10), (0, 2)]) == hashlib.sha256(lines).hexdigest()


def test_what_is_said_of_topics_is_counts_and_digests_and_nothing_of_what_has_none():
    logs = [
        {"topic": "pub.a", "topic_id": "x", "partition": 1, "erased": [0], "openings": 1},
        {"topic": "pub.a", "topic_id": "x", "partition": 0, "erased": [10, 2], "openings": 0},
        {"topic": "pub.a", "topic_id": "y", "partition": 0, "erased": [], "openings": 0},
    ]

    assert of_topics(logs) == [
        {
            "topic": "pub.a",
            "topic_id": "x",
            "messages": 3,
            "digest": digest([(0, 2), (0, 10), (1, 0)]),
        }
    ]
