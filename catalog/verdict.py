"""What an attempt to register a product met: accepted, refused or withdrawn, and what was found.

Not here: the judging (`acceptance`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Found", "State", "Verdict", "Via"]

State = Literal["accepted", "refused", "withdrawn"]
Via = Literal["event", "http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that a policy found: rule, place, problem, remedy. Only errors refuse."""

    level: str
    rule: str
    place: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one product's last attempt met."""

    id: str
    state: State
    via: Via
    digest: str = ""
    findings: tuple[Found, ...] = ()

    @property
    def errors(self) -> Sequence[Found]:
        """What refused it."""
        return [each for each in self.findings if each.level == "error"]

    @property
    def warnings(self) -> Sequence[Found]:
        """What was found and blocks nothing."""
        return [each for each in self.findings if each.level != "error"]

    def as_record(self) -> dict[str, Any]:
        """What the verdicts' topic carries."""
        return {**asdict(self), "findings": [asdict(each) for each in self.findings]}

    def as_document(self) -> dict[str, Any]:
        """What is answered over HTTP: warnings apart from what refused."""
        return {
            "id": self.id,
            "state": self.state,
            "via": self.via,
            "digest": self.digest,
            "findings": [without_level(each) for each in self.errors],
            "warnings": [without_level(each) for each in self.warnings],
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Verdict:
        """The verdict that a message of the topic carries."""
        found: Iterable[Mapping[str, str]] = record["findings"]
        return cls(**{**record, "findings": tuple(Found(**each) for each in found)})


def without_level(found: Found) -> dict[str, str]:
    """A finding in a list that says by itself which level it has."""
    return {name: text for name, text in asdict(found).items() if name != "level"}
