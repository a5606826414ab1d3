"""The forms that names take: kebab-case, snake_case, topics; and the nearest known word.

parse_topic("pub.customer-service.call-center.calls.v1").port  # 'calls'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "TopicName",
    "is_email",
    "is_kebab",
    "is_snake",
    "listed",
    "nearest",
    "parse_topic",
    "parse_version",
    "shown",
    "to_kebab",
    "to_snake",
]

MAX_NAME = 63
MAX_TOPIC = 200  # Kafka allows 249; the rest is for `.rejected` and internal suffixes

_KEBAB = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_SNAKE = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_TOPIC = re.compile(rf"(pub|priv)\.({_KEBAB})\.({_KEBAB})\.({_KEBAB})\.v(0|[1-9][0-9]{{0,5}})")
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class TopicName(NamedTuple):
    """The five parts of a topic: `<pub|priv>.<domain>.<product>.<port>.v<major>`."""

    visibility: str
    domain: str
    product: str
    port: str
    major: int


def parse_topic(text: str) -> TopicName | None:
    """Return the parts of a topic's name, or None where it has another form."""
    found = _TOPIC.fullmatch(text)
    if not found or len(text) > MAX_TOPIC:
        return None
    visibility, domain, product, port, major = found.groups()
    return TopicName(visibility, domain, product, port, int(major))


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return major, minor and patch of `1.2.3`, or None where it has another form."""
    found = _VERSION.fullmatch(text)
    if not found:
        return None
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def is_kebab(text: str) -> bool:
    """Whether *text* is kebab-case, as ids and topics are."""
    return len(text) <= MAX_NAME and re.fullmatch(_KEBAB, text) is not None


def is_snake(text: str) -> bool:
    """Whether *text* is snake_case, as names in SQL and Avro are."""
    return len(text) <= MAX_NAME and re.fullmatch(_SNAKE, text) is not None


def is_email(text: str) -> bool:
    """Whether *text* looks like an e-mail address."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def to_snake(kebab: str) -> str:
    """Return the snake_case form of a kebab-case name."""
    return kebab.replace("-", "_")


def to_kebab(snake: str) -> str:
    """Return the kebab-case form of a snake_case name."""
    return snake.replace("_", "-")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like *word*, or None where none is near."""
    by_folded = {_folded(one): one for one in known}
    found = difflib.get_close_matches(_folded(word[:80]), by_folded, n=1, cutoff=0.75)
    return by_folded[found[0]] if found else None


def _folded(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()


def listed(values: Iterable[object], *, limit: int = 12) -> str:
    """Return *values* as a comma-separated line of at most *limit* items."""
    texts = [str(value) for value in values]
    more = [f"… {len(texts) - limit} more"] if len(texts) > limit else []
    return ", ".join(texts[:limit] + more)


def shown(value: object, *, limit: int = 60) -> str:
    """Return *value* on one short line, for a message."""
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    text = " ".join(str(value).split())
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"`{text}`"
