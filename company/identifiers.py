"""The written form of every identifier: numbers that nobody can really have or be called on.

Not here: who holds them (`contracts`), and the company's list of identifiers (`identifiers.yaml`).
"""

from __future__ import annotations

import numpy as np

from company.draws import Ints, Stream

__all__ = [
    "agent_ids",
    "billing_account_numbers",
    "contract_numbers",
    "household_ids",
    "luhn",
    "person_ids",
    "phone_numbers",
]

_SERVICE_CODES = frozenset(range(211, 1000, 100))  # N11 is a service, never an area


def agent_ids(agents: Ints) -> list[str]:
    """Return the identifiers of call-centre agents."""
    return [f"A-{agent:04}" for agent in agents.tolist()]


def person_ids(persons: Ints) -> list[str]:
    """Return the identifiers of persons."""
    return [f"P-{person:06}" for person in persons.tolist()]


def household_ids(households: Ints) -> list[str]:
    """Return the identifiers of households."""
    return [f"H-{household:05}" for household in households.tolist()]


def contract_numbers(contracts: Ints) -> list[str]:
    """Return contract numbers; the last digit checks the others (Luhn)."""
    return [f"C-{contract:08}{luhn(f'{contract:08}')}" for contract in contracts.tolist()]


def billing_account_numbers(accounts: Ints) -> list[str]:
    """Return billing account numbers; the last digit checks the others (Luhn)."""
    return [f"B-{account:08}{luhn(f'{account:08}')}" for account in accounts.tolist()]


def luhn(digits: str) -> int:
    """Return the check digit of *digits* (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def phone_numbers(seed: int, count: int) -> list[str]:
    """Return *count* different numbers in E.164, scattered over areas.

    North American numbers 555-0100 to 555-0199 are kept for fiction in every area (ATIS-0300115).
    Areas follow the plan's pattern N[0-8]X; most of those drawn here are not in use either.
    """
    areas = [
        area for area in range(200, 1000) if area // 10 % 10 != 9 and area not in _SERVICE_CODES
    ]
    places = np.arange(len(areas) * 100, dtype=np.int64)
    words = Stream(seed=seed, kind="phone-number", attribute="digits").words(places)
    chosen = np.argsort(words, kind="stable")[:count]
    return [f"+1{areas[place // 100]}55501{place % 100:02}" for place in chosen.tolist()]
