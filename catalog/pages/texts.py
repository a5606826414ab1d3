"""Texts that others wrote, made fit for a page: cleaned, cut to a width, and safe as links.

Escaping is the templates' business. Not here: what a page says (`product`, `lists`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit

from markupsafe import Markup

__all__ = [
    "clean",
    "fit",
    "link_to",
    "mapping",
    "mappings",
    "one_line",
    "safe_link",
    "shown",
    "since",
]

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SCHEMES = ("http", "https", "mailto")
LONGEST_LINK = 2000
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def clean(value: object) -> object:
    """*value*, where it is text without what neither UTF-8 nor HTML can carry.

    Lone surrogates and control characters come by JSON, and would end the answer or hide in it.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join(REPLACEMENT if is_unfit(each) else each for each in value)


def is_unfit(character: str) -> bool:
    """Whether a page must not carry *character* as it is."""
    category = unicodedata.category(character)
    return category == "Cs" or (category == "Cc" and character not in "\t\n\r")


def shown(value: object) -> str:
    """A value of a row as text; what is made of several as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def one_line(text: object) -> str:
    """*text* with every run of blanks as one."""
    return " ".join(str(text or "").split())


def fit(text: str, width: float, size: float = 13) -> str:
    """*text*, cut so that it takes *width* pixels at most at a font of *size* pixels."""
    room = width / size
    taken = [width_of(each) for each in text]
    if sum(taken) <= room:
        return text
    room -= width_of("…")
    for number, each in enumerate(taken):
        room -= each
        if room < 0:
            return text[:number].rstrip() + "…"
    return text


def width_of(character: str) -> float:
    """About how wide *character* is, in ems; rather too wide than too narrow."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if unicodedata.combining(character):
        return 0.0
    if character in "mwMW@%—":
        return 0.95
    if character in "fijlrt1.,:;'|()-/ ":
        return 0.45
    return 0.75 if character.isupper() else 0.63


def link_to(*parts: object) -> str:
    """The path of a page: *parts* are names, which may hold anything."""
    # A lone surrogate has no form in a URL; the page behind it does not exist either.
    return "/" + "/".join(quote(str(each), safe="", errors="replace") for each in parts)


def safe_link(address: object) -> str | None:
    """*address* where it is one that a page may lead to, else None: no `javascript:`."""
    text = str(address or "").strip()
    if len(text) > LONGEST_LINK or not text.isprintable():
        return None
    try:
        return text if urlsplit(text).scheme.lower() in SCHEMES else None
    except ValueError:
        return None


def since(seconds: float) -> str:
    """A time span in its largest unit: `5 min`, `3.5 h`."""
    for size, unit in UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.1f}".removesuffix(".0") + " s"


def mapping(value: object) -> Mapping[str, object]:
    """*value* if it is a mapping, else an empty one: a document is what others wrote."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Sequence[Mapping[str, object]]:
    """The mappings in *value* if it is a list, else none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
