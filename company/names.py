"""Made-up names: syllables put together by lot, so that nobody is meant."""

from __future__ import annotations

import numpy as np

from company.draws import Ints, Stream

__all__ = [
    "cities",
    "email_addresses",
    "family_names",
    "former_family_names",
    "given_names",
    "streets",
]

_GIVEN = (
    (
        "Al",
        "Be",
        "Co",
        "Da",
        "El",
        "Fe",
        "Ga",
        "Ha",
        "Io",
        "Ju",
        "Ka",
        "Lo",
        "Ma",
        "Ni",
        "Or",
        "Sa",
    ),
    ("ba", "do", "li", "mi", "na", "ri", "sa", "va"),
    ("", "n", "na", "ra", "s", "to"),
)
_FAMILY = (
    ("Ash", "Bram", "Cal", "Dorn", "Elm", "Fal", "Grin", "Hol", "Ister", "Kess", "Lind", "Marr"),
    ("a", "e", "i", "o"),
    ("bek", "feld", "holm", "mont", "sen", "stad", "wick"),
)
_STREET = (
    ("Amber", "Birch", "Copper", "Drift", "Ember", "Fern", "Gable", "Heron"),
    ("field", "gate", "row", "water", "wood"),
    (" Lane", " Road", " Street"),
)
_CITY = (("Nor", "Sud", "Est", "Ves"), ("da", "ra", "li"), ("burgh", "haven", "mouth"))


def given_names(seed: int, persons: Ints) -> list[str]:
    """Return a given name for each person."""
    return _combine(Stream(seed=seed, kind="person", attribute="given_name"), persons, _GIVEN)


def family_names(seed: int, households: Ints) -> list[str]:
    """Return a family name for each household."""
    return _combine(
        Stream(seed=seed, kind="household", attribute="family_name"), households, _FAMILY
    )


def former_family_names(seed: int, persons: Ints) -> list[str]:
    """Return the name that each person would have had before marrying."""
    return _combine(Stream(seed=seed, kind="person", attribute="former_name"), persons, _FAMILY)


def streets(seed: int, households: Ints, before: str = "") -> list[str]:
    """Return a street and house number for each household; with *before*, those of before."""
    street = Stream(seed=seed, kind="household", attribute=f"{before}street")
    number = Stream(seed=seed, kind="household", attribute=f"{before}house_number")
    names, numbers = _combine(street, households, _STREET), number.below(households, 120)
    return [f"{name} {number + 1}" for name, number in zip(names, numbers.tolist(), strict=True)]


def cities(seed: int, households: Ints, before: str = "") -> list[str]:
    """Return a city for each household; with *before*, that of before."""
    city = Stream(seed=seed, kind="household", attribute=f"{before}city")
    return _combine(city, households, _CITY)


def email_addresses(given: list[str], family: list[str], persons: Ints) -> list[str]:
    """Return an address under `.example`, which can never be reached (RFC 2606)."""
    parts = zip(given, family, persons.tolist(), strict=True)
    return [f"{one}.{other}.{person}@mail.example".lower() for one, other, person in parts]


def _combine(stream: Stream, ids: Ints, syllables: tuple[tuple[str, ...], ...]) -> list[str]:
    words = np.array([""], dtype=object)
    for choices in syllables:
        words = (words[:, None] + np.array(choices, dtype=object)[None, :]).ravel()
    return [str(word) for word in words[stream.below(ids, len(words))]]
