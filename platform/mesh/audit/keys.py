"""The key that signs a mesh's audit logs: made by the service itself, and read by it alone.

Whoever loses it starts other logs: the mesh's name in them is made of the key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.audit.note import SigningKey
from mesh.errors import SettingsError
from mesh.home import write_private

__all__ = ["log_key_of"]

FILE = "log.key"


def log_key_of(folder: Path) -> SigningKey:
    """The key in *folder*, made if there is none. Raises `SettingsError`."""
    path = folder / FILE
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(path, pem.decode())
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} is not the key that was made: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(f"{path} is not an Ed25519 key: put back the one that was made")
    digest = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()
    return SigningKey(name=f"mesh-audit/{digest[:8]}", private=private)
