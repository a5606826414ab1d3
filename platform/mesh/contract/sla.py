"""The service levels that a contract declares (`slaProperties` of ODCS), in seconds and shares.

    latency       from a message that is read to the row that follows from it
    frequency     how often data is due
    availability  the share of time within these, 99 % unless declared
    errorRate     the share of messages that may be quarantined, 1 % unless declared

Not here: whether they are kept (`ladder`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.contract.model import Contract

__all__ = ["Sla", "levels_of", "sla_of"]

UNITS_S = {
    "ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "m": 60.0, "minute": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0, "w": 604800.0,
    "week": 604800.0, "y": 31_536_000.0, "yr": 31_536_000.0, "year": 31_536_000.0,
}  # fmt: skip
AVAILABILITY = 0.99
ERROR_RATE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla:
    """What one port declares; None where it says nothing."""

    latency_s: float | None = None
    frequency_s: float | None = None
    availability: float = AVAILABILITY
    error_rate: float = ERROR_RATE


def sla_of(contract: Contract) -> Sla:
    """The service levels of *contract*; what cannot be read as one is left out."""
    levels = {str(each.get("property")).lower(): each for each in levels_of(contract)}
    availability = share(levels.get("availability") or levels.get("generalavailability"))
    error_rate = share(levels.get("errorrate"))
    return Sla(
        latency_s=duration(levels.get("latency")),
        frequency_s=duration(levels.get("frequency")),
        availability=AVAILABILITY if availability is None else availability,
        error_rate=ERROR_RATE if error_rate is None else error_rate,
    )


def levels_of(contract: Contract) -> list[dict[str, object]]:
    """The service levels of *contract* as they are written."""
    found = contract.document.get("slaProperties")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def duration(level: dict[str, object] | None) -> float | None:
    """A length of time in seconds; days where no unit is given."""
    value = number(level)
    if level is None or value is None:
        return None
    unit = str(level.get("unit") or "d").lower()
    size = UNITS_S.get(unit) or UNITS_S.get(unit.removesuffix("s"))
    return value * size if size and value > 0 else None


def share(level: dict[str, object] | None) -> float | None:
    """A share from 0 to 1, given in percent."""
    value = number(level)
    return value / 100 if value is not None and 0 <= value <= 100 else None


def number(level: dict[str, object] | None) -> float | None:
    """The value as a number."""
    value = level.get("value") if level else None
    try:
        return float(str(value).strip().removesuffix("%")) if value is not None else None
    except ValueError:
        return None
