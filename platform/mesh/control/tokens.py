"""Short-lived tokens: who somebody is, over HTTP. Issued by one service, checked by all.

A token is a JWT (RFC 7519) signed with Ed25519 (EdDSA, RFC 8037). Doors hold the public key
only, so no product can make another's token. It says who, never what may be done: that is
the door's question. One that names its audience (`aud`) is refused by every other door, so that
whoever is asked with it cannot go on and ask others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.backbone.endpoint import Principal
from mesh.errors import Refused, SettingsError
from mesh.home import Home, write_private

__all__ = ["LIFE_S", "check_token", "issue_token", "make_keys", "public_key"]

LIFE_S = 15 * 60
ALGORITHM = "EdDSA"
ISSUER = "mesh"


def make_keys(home: Home, principals: Sequence[Principal]) -> None:
    """Make the signing key once, and the verifiers of the *principals*' secrets."""
    private = home.access / "token.key"
    if not private.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(private, pem.decode())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(home.public / "token.pub", public.decode())
        (home.public / "token.pub").chmod(0o644)
    verifiers = {each.name: verifier(each.secret) for each in principals}
    write_private(home.access / "verifiers.json", json.dumps(verifiers, indent=1))


def verifier(secret: str) -> str:
    """What the issuer keeps of a secret. A plain hash does: secrets have 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue_token(home: Home, principal: Principal, audience: str | None = None) -> str:
    """A token for *principal*, good for `LIFE_S` seconds, at *audience* alone or at every door.

    Raises `Refused` for a wrong secret.
    """
    verifiers = json.loads(read(home, "access", "verifiers.json"))
    wanted = verifiers.get(principal.name, "")
    # Compared in constant time, an unknown name against the empty text.
    if not hmac.compare_digest(wanted, verifier(principal.secret)):
        raise Refused(f"no principal {principal.name!r} with this secret")
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": principal.name, "iat": now, "exp": now + LIFE_S}
    claims |= {} if audience is None else {"aud": audience}
    return jwt.encode(claims, read(home, "access", "token.key"), algorithm=ALGORITHM)


def public_key(home: Home) -> str:
    """The key by which a door checks tokens."""
    return read(home, "public", "token.pub")


def check_token(token: str, key: str, audience: str, also: Sequence[str] = ()) -> str:
    """The principal that *token* speaks for at *audience*, where tokens for *also* are good, too.

    Raises `Refused` with the reason.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            # The library would refuse one for nobody in particular.
            options={"require": ["exp", "iat", "sub", "iss"], "verify_aud": False},
        )
    except jwt.PyJWTError as error:
        raise Refused(f"the token is not valid: {error}") from error
    if claims.get("aud", audience) not in (audience, *also):
        raise Refused("the token is for another door: ask for one with its name")
    return str(claims["sub"])


def read(home: Home, folder: str, name: str) -> str:
    """A key file of the mesh."""
    path = home.path / folder / name
    try:
        return path.read_text()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): `mesh up` or `mesh provision` makes it"
        ) from error
