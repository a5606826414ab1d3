"""No product makes, or is taken for, another: a door and a product's secret cannot sign."""

from __future__ import annotations

import hashlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mesh.backbone.endpoint import Principal
from mesh.control.tokens import issue_token
from mesh.errors import Refused, SettingsError
from tests.doors import opened_door


@pytest.fixture
def door(tmp_path):
    with opened_door(tmp_path) as found:
        yield found


def forged(door, key, algorithm):
    """A token of grace, signed with what some product holds."""
    claims = jwt.decode(door.token("grace"), options={"verify_signature": False})
    return jwt.encode(claims, key, algorithm=algorithm)


def test_no_product_makes_a_token_of_another(door):
    """With its secret it gets its own only; with all else that it holds it signs none."""
    with pytest.raises(Refused):
        issue_token(door.home, Principal(name="sample", secret="secret of other"))
    public = (door.home.public / "token.pub").read_bytes()
    own = Ed25519PrivateKey.generate()
    tokens = [
        forged(door, own, "EdDSA"),
        forged(door, "secret of other".ljust(32, "x"), "HS256"),
        forged(door, None, "none"),
        forged(door, hashlib.sha256(public).hexdigest(), "HS256"),
    ]
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        assert door.client.post("/control/pause", headers=headers).status_code == 401
    # The test can fail: with the issuer's key, the same claims are good.
    private = load_pem_private_key((door.home.access / "token.key").read_bytes(), None)
    headers = {"Authorization": f"Bearer {forged(door, private, 'EdDSA')}"}
    assert door.client.post("/control/pause", headers=headers).status_code == 200


def test_a_products_own_token_opens_its_own_control_only(door):
    assert door.ask("/control/pause", "other", "POST").status_code == 403
    assert door.ask("/control/pause", "sample", "POST").status_code == 200


def test_who_was_asked_with_a_token_cannot_ask_others_with_it(door):
    """A token that names its door is of no use to who runs that door."""
    ada = Principal(name="ada", secret="secret of ada")
    for audience, status in (("sample", 200), ("billing", 401)):
        headers = {"Authorization": f"Bearer {issue_token(door.home, ada, audience)}"}
        assert door.client.get("/ports/notes/rows", headers=headers).status_code == status


def test_a_door_needs_no_private_key(door):
    token = door.token("grace")
    for path in sorted(door.home.access.iterdir()):
        path.unlink()
    headers = {"Authorization": f"Bearer {token}"}

    assert door.client.post("/control/pause", headers=headers).status_code == 200
    with pytest.raises(SettingsError, match="cannot be read"):
        door.token("grace")
