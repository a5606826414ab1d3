"""Tokens: made from a secret by the issuer, checked by anyone with the public key."""

from __future__ import annotations

import asyncio
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.backbone.endpoint import Principal
from mesh.control.access import access_app
from mesh.control.tokens import LIFE_S, check_token, issue_token, make_keys, public_key
from mesh.errors import Refused, SettingsError
from mesh.home import Home

DOOR = "call-center"
ADA = Principal(name="ada", secret="correct horse")


@pytest.fixture
def home(tmp_path):
    found = Home.open(tmp_path / "home")
    make_keys(found, [ADA])
    return found


def private_key(home):
    return (home.access / "token.key").read_text()


def claims(**changes):
    now = int(time.time())
    found = {"iss": "mesh", "sub": "ada", "iat": now, "exp": now + 60, **changes}
    return {name: value for name, value in found.items() if value is not None}


def test_a_token_says_who_and_lives_for_a_quarter_of_an_hour(home):
    token = issue_token(home, ADA)
    found = jwt.decode(token, options={"verify_signature": False})

    assert check_token(token, public_key(home), DOOR) == "ada"
    assert found["exp"] - found["iat"] == LIFE_S == 900
    assert set(found) == {"iss", "sub", "iat", "exp"}  # what may be done is the door's question


@pytest.mark.parametrize(
    ("name", "secret"),
    [("ada", "wrong"), ("ada", ""), ("adx", "correct horse"), ("", ""), ("ådå", "sécret")],
)
def test_a_wrong_secret_gets_no_token(home, name, secret):
    with pytest.raises(Refused, match="with this secret"):
        issue_token(home, Principal(name=name, secret=secret))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_900},
        {"nbf": 4_000_000_000},
        {"iss": "other"},
        {"iss": None},
        {"sub": None},
        {"sub": 7},
    ],
)
def test_claims_that_do_not_hold_are_refused(home, change):
    token = jwt.encode(claims(**change), private_key(home), algorithm="EdDSA")

    with pytest.raises(Refused, match="the token is not valid"):
        check_token(token, public_key(home), DOOR)


def test_the_signature_of_another_key_is_refused(home):
    token = jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA")

    with pytest.raises(Refused):
        check_token(token, public_key(home), DOOR)


def test_a_token_without_a_signature_is_refused(home):
    with pytest.raises(Refused):
        check_token(jwt.encode(claims(), None, algorithm="none"), public_key(home), DOOR)


@pytest.mark.parametrize("place", range(3))
def test_a_token_with_any_part_changed_is_refused(home, place):
    parts = issue_token(home, ADA).split(".")
    middle = len(parts[place]) // 2
    other = "A" if parts[place][middle] != "A" else "B"
    parts[place] = parts[place][:middle] + other + parts[place][middle + 1 :]

    with pytest.raises(Refused):
        check_token(".".join(parts), public_key(home), DOOR)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\x00", "é", "x" * 100_000])
def test_garbage_is_refused(home, token):
    with pytest.raises(Refused):
        check_token(token, public_key(home), DOOR)


def test_the_public_key_cannot_sign(home):
    with pytest.raises((TypeError, ValueError, AttributeError, jwt.PyJWTError)):
        jwt.encode(claims(), public_key(home), algorithm="EdDSA")


def test_the_keys_stay_when_they_are_made_again_and_new_principals_are_known(home):
    token = issue_token(home, ADA)
    grace = Principal(name="grace", secret="another")
    make_keys(home, [ADA, grace])

    assert check_token(token, public_key(home), DOOR) == "ada"
    assert check_token(issue_token(home, grace), public_key(home), DOOR) == "grace"


def test_a_token_for_one_door_is_refused_by_every_other(home):
    token = issue_token(home, ADA, DOOR)

    assert check_token(token, public_key(home), DOOR) == "ada"
    with pytest.raises(Refused, match="for another door"):
        check_token(token, public_key(home), "billing")


def test_a_door_may_take_tokens_for_another_name_too(home):
    token, other = (issue_token(home, ADA, each) for each in ("pages", "billing"))

    assert check_token(token, public_key(home), DOOR, also=["pages"]) == "ada"
    with pytest.raises(Refused, match="for another door"):
        check_token(other, public_key(home), DOOR, also=["pages"])


@pytest.mark.parametrize("audience", [["call-center", "billing"], 7, {"a": 1}, ""])
def test_an_audience_that_is_no_name_is_nobodys(home, audience):
    token = jwt.encode(claims(aud=audience), private_key(home), algorithm="EdDSA")

    with pytest.raises(Refused):
        check_token(token, public_key(home), DOOR)


def test_the_issuer_keeps_no_secret_in_clear(home):
    kept = b"".join(each.read_bytes() for each in home.access.iterdir())

    assert b"correct horse" not in kept
    assert len(kept) > 100


def test_a_home_without_keys_says_what_makes_them(tmp_path):
    with pytest.raises(SettingsError, match="mesh up"):
        public_key(Home.open(tmp_path))


def test_a_principal_never_shows_its_secret():
    assert "horse" not in f"{ADA!r} {ADA}"


def asked_for(home, door):
    """What the service answers to whoever asks for a token for *door*."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(access_app(home))
        async with httpx.AsyncClient(transport=transport, base_url="http://access") as client:
            login = (ADA.name, ADA.secret)
            return await client.post("/token", params={"for": door}, auth=login)

    return asyncio.run(ask())


@pytest.mark.parametrize("door", ["", "a" * 64, "call center", "a..b", "é", "a\n"])
def test_a_token_for_what_is_no_door_is_refused_in_words(home, door):
    answer = asked_for(home, door)

    assert (answer.status_code, [*answer.json()]) == (422, ["detail"])
    assert answer.json()["detail"].startswith("`for` names one door: ")


@pytest.mark.parametrize("door", [DOOR, "catalogue.pages", "a" * 63])
def test_a_token_is_made_for_a_door_that_is_named(home, door):
    token = asked_for(home, door).json()["token"]

    assert check_token(token, public_key(home), door) == "ada"
