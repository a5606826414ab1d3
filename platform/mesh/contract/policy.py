"""What a policy is: a pure function of a product and its project, with a name and a sentence.

Not here: the policies (`policies`, `promises`, `domain_policies`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from mesh.contract.faults import Fault
from mesh.contract.model import Contract, Field, Product
from mesh.contract.project import Project
from mesh.contract.yamlfile import YamlPath, read_yaml
from mesh.errors import InvalidFile

__all__ = [
    "Check",
    "Checked",
    "Finding",
    "Level",
    "Policy",
    "finding",
    "place_of",
    "warning",
    "with_line",
]

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A policy that a product does not keep: the fault, its place in the document, its level."""

    fault: Fault
    where: YamlPath
    level: Level = "error"


Check: TypeAlias = Callable[[Product, Project], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy as it is listed; only an error refuses. *domain* is empty for the mesh's own."""

    rule: str
    says: str
    level: Level = "error"
    domain: str = ""

    def as_document(self) -> dict[str, str]:
        """What `mesh policies --json` and the catalogue show."""
        return {
            "rule": self.rule,
            "level": self.level,
            "domain": self.domain,
            "says": self.says,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A policy of the mesh's own: its name, and the function that checks and says it."""

    rule: str
    check: Check
    level: Level = "error"

    @property
    def policy(self) -> Policy:
        """What is listed: the function's first sentence."""
        says = (self.check.__doc__ or "").partition("\n")[0].removesuffix(" (a warning).")
        return Policy(rule=self.rule, says=says.removesuffix(".") + ".", level=self.level)


def finding(rule: str, path: Path, where: YamlPath, problem: str, remedy: str) -> Finding:
    """What refuses a product."""
    fault = Fault(path=path, line=0, problem=problem, remedy=remedy, rule=rule)
    return Finding(fault=fault, where=where)


def warning(rule: str, path: Path, where: YamlPath, problem: str, remedy: str) -> Finding:
    """What is worth knowing and blocks nothing."""
    return replace(finding(rule, path, where, problem, remedy), level="warning")


def place_of(contract: Contract, field: Field) -> YamlPath:
    """Where a field stands in its contract."""
    names = [each.name for each in (contract.masked_from or contract).fields]
    return ("schema", 0, "properties", names.index(field.name))


def with_line(found: Finding) -> Finding:
    """Return the finding with its line, where the file can still be read."""
    try:
        line = read_yaml(found.fault.path).line_of(found.where)
    except InvalidFile:
        return found
    return replace(found, fault=replace(found.fault, line=line))
