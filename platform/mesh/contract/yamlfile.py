"""The one reader of YAML: safe on hostile text, and it remembers the line of every value.

A subset of YAML 1.2: no anchors, aliases, tags or second documents; each key once. Only
`true` and `false` are booleans, and dates stay text. Not here: what the values mean.

    file = read_yaml(Path("product.yaml"))
    file.line_of(("outputPorts", 0, "name"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mesh.contract.faults import Fault
from mesh.errors import InvalidFile

if TYPE_CHECKING:
    from mesh.contract.yamlbuilder import YamlProblem

__all__ = ["MAX_BYTES", "Node", "Report", "YamlFile", "YamlPath", "parse_yaml", "read_yaml"]

MAX_BYTES = 1 << 20

YamlPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlFile:
    """A YAML document as plain values, with the line of each."""

    path: Path
    document: dict[str, object]
    lines: Mapping[YamlPath, int] = field(repr=False)

    def line_of(self, where: YamlPath) -> int:
        """Return the line of the value at *where*, or of its nearest ancestor that exists."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)

    @property
    def root(self) -> Node:
        """The whole document."""
        return Node(self, (), self.document)


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place in the file; asking a wrong kind of value gives an empty node."""

    file: YamlFile
    where: YamlPath
    value: object

    def __getitem__(self, key: str) -> Node:
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(self.file, (*self.where, key), value)

    @property
    def items(self) -> tuple[Node, ...]:
        """The elements of a list; none where it is not a list."""
        values = self.value if isinstance(self.value, list) else []
        return tuple(Node(self.file, (*self.where, i), v) for i, v in enumerate(values))

    @property
    def text(self) -> str:
        """The text, stripped; empty where it is not text."""
        return self.value.strip() if isinstance(self.value, str) else ""

    @property
    def is_given(self) -> bool:
        """Whether the file holds anything here."""
        return self.value is not None

    @property
    def line(self) -> int:
        """The line in the file."""
        return self.file.line_of(self.where)


class Report:
    """Gathers what is found in files, so that one run names every fault."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def fault(self, node: Node, problem: str, remedy: str, *, rule: str) -> None:
        """Add a fault at *node*."""
        self.faults.append(_fault_at(node, problem, remedy, rule=rule))

    def warn(self, node: Node, problem: str, remedy: str, *, rule: str) -> None:
        """Add a warning at *node*."""
        self.warnings.append(_fault_at(node, problem, remedy, rule=rule))

    def raise_faults(self) -> None:
        """Raise `InvalidFile` with all faults, by file and line, if there is any."""
        if self.faults:
            raise InvalidFile(sorted(self.faults, key=lambda f: (str(f.path), f.line)))


def read_yaml(path: Path) -> YamlFile:
    """Read the YAML file at *path*.

    Raises `InvalidFile`, whatever the bytes are; a file above `MAX_BYTES` is not even opened.
    """
    try:
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise _invalid(path, 0, "this is not a file", "name a YAML file")
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(path)
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)  # it may have grown since
    except FileNotFoundError as error:
        raise _invalid(path, 0, "there is no such file", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _invalid(
            path, 0, f"cannot be read: {reason}", "check the path and its mode"
        ) from error
    return parse_yaml(data, path)


def parse_yaml(data: bytes, path: Path) -> YamlFile:
    """Read YAML from *data*; *path* is for messages only. Raises `InvalidFile`."""
    from mesh.contract.yamlbuilder import build

    if len(data) > MAX_BYTES:
        raise _too_large(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(path, line, "not UTF-8 text", "save the file as UTF-8") from error
    document, lines, problems = build(text)
    if not problems and isinstance(document, dict):
        return YamlFile(path=path, document=document, lines=lines)
    raise InvalidFile([_fault_of(path, problem) for problem in problems])


def _fault_of(path: Path, found: YamlProblem) -> Fault:
    return Fault(
        path=path, line=found.line, problem=found.problem, remedy=found.remedy, rule="yaml"
    )


def _fault_at(node: Node, problem: str, remedy: str, *, rule: str) -> Fault:
    return Fault(path=node.file.path, line=node.line, problem=problem, remedy=remedy, rule=rule)


def _too_large(path: Path) -> InvalidFile:
    return _invalid(path, 0, "larger than 1 MiB", "no contract is; split it, or check the path")


def _invalid(path: Path, line: int, problem: str, remedy: str) -> InvalidFile:
    return InvalidFile([Fault(path=path, line=line, problem=problem, remedy=remedy, rule="yaml")])
