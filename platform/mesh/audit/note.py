"""Signed notes: a text with Ed25519 signatures below it, and the keys that make and check them.

Source: C2SP signed-note. Not here: what the text says (`checkpoint`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mesh.errors import Unproven, WrongUse

__all__ = ["LogKey", "SigningKey", "opened", "signed"]

ED25519 = b"\x01"
ID_BYTES, PUBLIC_BYTES = 4, 32
# As many as Go's reader takes, so that no note makes work without end.
MOST_SIGNATURES = 100
DASH = "\u2014"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """Who signs, as others know it: a name, and an Ed25519 public key."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        """The key as a line of text, a `vkey`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> LogKey:
        """The key of a line of text. Raises `WrongUse` where it is none."""
        name, _, rest = text.strip().partition("+")
        id_, _, encoded = rest.partition("+")
        data = unbase64(encoded)
        if is_name(name) and data is not None and data[:1] == ED25519:
            key = cls(name=name, public=data[1:])
            if len(key.public) == PUBLIC_BYTES and key.id.hex() == id_:
                return key
        raise WrongUse(
            f"{text.strip()[:200]!r} is no key of a log: it is one line NAME+ID+KEY, "
            "as `mesh audit key` prints it"
        )

    def of(self, origin: str) -> LogKey:
        """The key of the log *origin*, where this is the key of all logs below its name."""
        return replace(self, name=origin) if origin.startswith(f"{self.name}/") else self

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether *signature* is this key's of *text*."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The private half of a key."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def log_key(self) -> LogKey:
        """What others need, to check what this key signs."""
        return LogKey(name=self.name, public=self.private.public_key().public_bytes_raw())


def signed(text: str, key: SigningKey) -> str:
    """*text*, which ends with a newline, as a note."""
    if not text.endswith("\n") or not is_clean(text):
        raise ValueError("the text of a note ends with a newline, and has no control characters")
    signature = key.log_key.id + key.private.sign(text.encode())
    return f"{text}\n{DASH} {key.name} {base64.b64encode(signature).decode()}\n"


def opened(note: str, key: LogKey) -> str:
    """The text of *note*, if *key* has signed it. Raises `Unproven`."""
    text, blank, below = note.rpartition("\n\n")
    lines = below.split("\n")
    if not blank or lines.pop() or not lines or not is_clean(note):
        raise Unproven("this is no signed note: its text, a blank line, its signatures")
    if len(lines) > MOST_SIGNATURES:
        raise Unproven(f"the note has more than {MOST_SIGNATURES} signatures")
    text, is_ours = f"{text}\n", False
    for line in lines:
        name, _, encoded = line.removeprefix(f"{DASH} ").partition(" ")
        signature = unbase64(encoded)
        if not line.startswith(f"{DASH} ") or not is_name(name) or signature is None:
            raise Unproven("a signature line of the note is malformed")
        if (name, signature[:ID_BYTES]) == (key.name, key.id):
            if not key.has_signed(text, signature[ID_BYTES:]):
                raise Unproven(f"the signature of {name} does not fit the note: it was altered")
            is_ours = True
    if not is_ours:
        raise Unproven(f"the note is not signed by {key}")
    return text


def is_name(name: str) -> bool:
    """Whether *name* may be a key's."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def is_clean(text: str) -> bool:
    """Whether *text* has no control characters but newlines."""
    return all(each >= " " or each == "\n" for each in text)


def unbase64(text: str) -> bytes | None:
    """The bytes of base64 in its one form, or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text and data else None
