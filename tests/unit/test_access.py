"""Who may read a port: requests, grants, their ends, and what files say where nobody has spoken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.backbone.record import decoded, encoded
from mesh.contract.access import GRANT_SCHEMA, Access
from mesh.contract.project import Project, load_project
from mesh.errors import Refused, Unreachable, WrongUse
from mesh.wiring.granted import Clock, Granted
from tests.access import CALLS, DAY, NOON, PURPOSE, Desk
from tests.repository import ROOT


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(ROOT)


@pytest.fixture
def desk(project: Project) -> Desk:
    return Desk(project)


def test_what_was_asked_for_is_read_once_the_owner_grants_it_and_until_it_is_revoked(desk: Desk):
    asked = desk.desk.request("mallory", CALLS, PURPOSE)
    seen = [(asked.state, desk.may_read("mallory"))]
    granted = desk.grant()
    seen.append((granted.state, desk.may_read("mallory")))
    ended, _ = desk.desk.revoke("grace", CALLS, "mallory", "no longer needed")
    seen.append((ended.state, desk.may_read("mallory")))

    assert seen == [("requested", False), ("granted", True), ("revoked", False)]
    assert granted.purpose == PURPOSE
    assert (ended.by, ended.reason, ended.purpose) == ("grace", "no longer needed", PURPOSE)


def test_a_grant_for_a_time_ends_by_the_clock_and_its_end_is_written_down_once(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    desk.grant(for_=DAY)
    desk.now += DAY - timedelta(microseconds=1)
    desk.desk.expire()
    assert desk.may_read("mallory")

    desk.now += timedelta(microseconds=1)
    assert not desk.may_read("mallory")
    desk.desk.expire()
    (act,) = desk.acts.values()
    assert (act.state, act.by, act.at) == ("expired", "clock", desk.now)
    desk.now += DAY
    desk.desk.expire()
    assert desk.acts == {act.key: act}


def test_what_ended_stays_ended_where_the_clock_jumps_back(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    desk.grant(for_=DAY)
    desk.now += 2 * DAY
    desk.desk.expire()
    desk.now -= 2 * DAY

    assert not desk.may_read("mallory")
    with pytest.raises(WrongUse, match="no grant"):
        desk.desk.revoke("grace", CALLS, "mallory", "")


def test_a_clock_never_goes_back():
    clock = Clock()
    before = clock()
    clock._latest = before + DAY

    assert clock() == before + DAY


def test_a_grant_that_is_given_again_has_the_new_term(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    desk.grant(for_=DAY)
    desk.grant(for_=10 * DAY)
    desk.now += 5 * DAY

    assert desk.may_read("mallory")
    assert len(desk.acts) == 1


def test_what_is_granted_is_not_asked_for_again(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    desk.desk.request("mallory", CALLS, "Another purpose.")
    desk.grant()

    with pytest.raises(WrongUse, match=r"granted .* already, for: Another purpose\."):
        desk.desk.request("mallory", CALLS, PURPOSE)


@pytest.mark.parametrize("stranger", ["mallory", "linus", "ada", "billing", "nobody"])
def test_a_stranger_grants_and_revokes_nothing(desk: Desk, stranger: str):
    desk.desk.request("mallory", CALLS, PURPOSE)

    with pytest.raises(Refused, match="does not own call-center: grace decides"):
        desk.grant(by=stranger)
    with pytest.raises(Refused, match="does not own"):
        desk.desk.revoke(stranger, CALLS, "grace", "")
    assert not desk.may_read("mallory")


def test_the_owner_and_the_product_itself_grant(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    desk.desk.request("katherine", CALLS, PURPOSE)

    assert desk.grant("mallory", by="grace").state == "granted"
    assert desk.grant("katherine", by="call-center").state == "granted"


def test_one_may_give_back_ones_own_grant_and_withdraw_ones_own_request(desk: Desk):
    desk.desk.request("mallory", CALLS, PURPOSE)
    assert desk.desk.revoke("mallory", CALLS, "mallory", "")[0].state == "refused"

    desk.desk.revoke("ada", CALLS, "ada", "")
    assert not desk.may_read("ada")


def test_a_grant_without_a_purpose_to_nobody_or_of_no_port_is_wrong_use(desk: Desk):
    with pytest.raises(WrongUse, match="say the purpose"):
        desk.grant()
    with pytest.raises(WrongUse, match="there is no principal nobody"):
        desk.grant("nobody")
    with pytest.raises(WrongUse, match="has a purpose"):
        desk.desk.request("mallory", CALLS, "")
    with pytest.raises(Refused, match="there is no output port"):
        desk.desk.request("mallory", "call-center.salaries", PURPOSE)
    with pytest.raises(Refused, match="there is no output port"):
        desk.desk.request("mallory", "call-center.finished-calls", PURPOSE)
    with pytest.raises(WrongUse, match="itself"):
        desk.desk.request("call-center", CALLS, PURPOSE)


def test_a_line_of_the_file_is_a_grant_until_its_owner_revokes_it(desk: Desk):
    assert desk.may_read("ada")

    desk.desk.revoke("grace", CALLS, "ada", "")
    assert not desk.may_read("ada")
    desk.desk.request("ada", CALLS, PURPOSE)
    assert not desk.may_read("ada")
    desk.grant("ada")
    assert desk.may_read("ada")


@given(st.lists(st.sampled_from(["request", "grant", "short", "revoke", "expire", "later"])))
def test_whatever_comes_in_whatever_order_who_reads_is_who_was_granted_last(
    acts: list[str],
) -> None:
    desk, is_granted, ends = Desk(SHIPPED), False, None
    for act in acts:
        try:
            if act == "request":
                desk.desk.request("mallory", CALLS, PURPOSE)
            elif act in ("grant", "short"):
                desk.grant(for_=DAY if act == "short" else None)
                is_granted, ends = True, desk.now + DAY if act == "short" else None
            elif act == "revoke":
                desk.desk.revoke("grace", CALLS, "mallory", "")
                is_granted = False
            elif act == "expire":
                desk.desk.expire()
            else:
                desk.now += DAY / 2
        except WrongUse:
            pass
        is_granted = is_granted and (ends is None or desk.now < ends)
        assert desk.may_read("mallory") == is_granted


SHIPPED = load_project(ROOT)


def test_a_door_says_nothing_before_it_knows(project: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mesh.wiring.granted.PATIENCE_S", 0.01)

    with pytest.raises(Unreachable, match="does not say who may read"):
        Granted(project).readers_of(project.contract(CALLS))


def test_an_act_is_the_same_when_it_is_read_back():
    act = Access(
        port=CALLS, principal="ada", state="granted", purpose=PURPOSE, by="grace",
        at=NOON, until=NOON + DAY,
    )  # fmt: skip

    assert Access(**decoded(encoded(7, GRANT_SCHEMA, act.as_record()), GRANT_SCHEMA)) == act
