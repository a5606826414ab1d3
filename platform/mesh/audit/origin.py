"""The name of a log, its origin: whose log of which topic partition.

The topic's id is part of it, so that a topic that is made anew under the same name has another.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from mesh.errors import Unproven

__all__ = ["LogName", "id_text", "topic_id"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LogName:
    """One log of the mesh *mesh*, which is the name of its key."""

    mesh: str
    topic: str
    topic_id: bytes
    partition: int

    @property
    def path(self) -> str:
        """Where it lies below all logs, in files and over HTTP."""
        return f"{self.topic}/{id_text(self.topic_id)}/{self.partition}"

    def __str__(self) -> str:
        """The origin, as checkpoints say it."""
        return f"{self.mesh}/{self.path}"

    @classmethod
    def parse(cls, origin: str) -> LogName:
        """The log of an origin. Raises `Unproven` where it is none of a topic's partition."""
        mesh, _, rest = origin.rpartition("/")
        mesh, _, id_ = mesh.rpartition("/")
        mesh, _, topic = mesh.rpartition("/")
        if not (mesh and topic and rest.isascii() and rest.isdigit()):
            raise Unproven(f"{origin[:200]!r} is not the origin of a topic's log")
        return cls(mesh=mesh, topic=topic, topic_id=topic_id(id_), partition=int(rest))


def id_text(id_: bytes) -> str:
    """A topic's id as Kafka writes it."""
    return base64.urlsafe_b64encode(id_).decode().rstrip("=")


def topic_id(text: str) -> bytes:
    """The id that Kafka writes as *text*. Raises `Unproven` where it is none."""
    try:
        found = base64.urlsafe_b64decode(f"{text}==")
    except (binascii.Error, ValueError) as error:
        raise Unproven(f"{text[:80]!r} is no topic id") from error
    if len(found) != 16 or id_text(found) != text:
        raise Unproven(f"{text[:80]!r} is no topic id")
    return found
