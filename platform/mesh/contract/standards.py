"""The values of identifiers: whether a text is one, and its one normal form.

Telephone numbers are read by Google's `phonenumbers`; all else keeps the list's expression.
Not here: the list itself (`identifiers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mesh.contract.identifiers import Identifier
from mesh.contract.names import shown
from mesh.errors import WrongUse

__all__ = ["identifier_called", "normal_form", "why_not_normal"]


def normal_form(identifier: Identifier, text: str) -> str:
    """The normal form of *text*, a value of *identifier* as a person may write it.

    Raises `WrongUse` where it cannot be one.
    """
    value = text.strip()
    if identifier.standard == "E.164":
        value = telephone_number(value) or value
    if identifier.format and not re.search(identifier.format, value):
        raise WrongUse(f"{shown(text)} is no {identifier.name}: {identifier.description}")
    if identifier.standard == "E.164" and telephone_number(value) != value:
        raise WrongUse(
            f"{shown(text)} is no {identifier.name}: no such number is possible; write it in "
            "international form, as +31 6 12345678"
        )
    return value


def telephone_number(text: str) -> str | None:
    """*text* in E.164, or None where no telephone number can be like it."""
    import phonenumbers  # 80 ms, for those who need it

    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def why_not_normal(identifier: Identifier, value: str) -> str | None:
    """Why *value* may not stand in a message: it is no value of *identifier*, or not normal."""
    try:
        is_normal = normal_form(identifier, value) == value
    except WrongUse:
        return f"it is no {identifier.name}"
    return None if is_normal else f"it is not the normal form of a {identifier.name}"


def identifier_called(identifiers: Mapping[str, Identifier], name: str) -> Identifier | None:
    """The identifier *name*, in full or without its last word: `phone` is `phone-number`."""
    found = [
        each
        for each in identifiers.values()
        if name and name in (each.name, each.name.rpartition("-")[0])
    ]
    return found[0] if len(found) == 1 else None
