"""Builds plain values from YAML events, with bounds on depth and size.

Works event by event and never recurses, so no nesting exhausts the stack. Not here: files.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from mesh.contract.names import shown

__all__ = ["YamlProblem", "build"]

MAX_DEPTH = 32
MAX_NODES = 100_000

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# Control characters and lone surrogates break terminals, SQL text and UTF-8 further on.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is some 10 times faster


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlProblem:
    """What is wrong in the text, and on which line."""

    line: int
    problem: str
    remedy: str


class _Stop(Exception):
    """Reading further would be useless or dangerous."""


@dataclass(slots=True)
class _Open:
    """A collection that is still being read; *key* is the mapping's key that awaits its value."""

    value: dict[str, object] | list[object]
    where: tuple[str | int, ...]
    key: str | None = None
    seen: set[str] = field(default_factory=set)


def build(text: str) -> tuple[object, dict[tuple[str | int, ...], int], list[YamlProblem]]:
    """Return the document, the line of each path, and every problem met."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
        builder.check_top()
    except _Stop:
        pass
    except yaml.YAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    except RecursionError:
        builder.problem(1, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
    return builder.document, builder.lines, builder.problems


class _Builder:
    def __init__(self) -> None:
        self.document: object = None
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.problems: list[YamlProblem] = []
        self._open: list[_Open] = []
        self._count_documents = 0
        self._count_nodes = 0

    def problem(self, line: int, problem: str, remedy: str) -> None:
        self.problems.append(YamlProblem(line=line, problem=problem, remedy=remedy))

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._count_documents += 1
            if self._count_documents > 1:
                self._stop(line, "a second document", "keep one document a file")
        elif isinstance(event, yaml.AliasEvent):
            self._stop(line, f"an alias (*{event.anchor})", "write the value out")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event, line)

    def check_top(self) -> None:
        if not isinstance(self.document, dict):
            found = "the file is empty" if self.document is None else "the top is not a mapping"
            self.problem(1, found, "write `key: value` lines")

    def _take_node(self, event: Any, line: int) -> None:
        self._count_nodes += 1
        if self._count_nodes > MAX_NODES:
            self._stop(line, f"more than {MAX_NODES} values", "split the file")
        if event.anchor is not None:
            self.problem(line, f"an anchor (&{event.anchor})", "write the value out")
        if event.tag not in (None, "!"):
            self.problem(line, f"a tag ({shown(event.tag)})", "leave it out; quote text instead")
        parent = self._open[-1] if self._open else None
        if parent and isinstance(parent.value, dict) and parent.key is None:
            self._take_key(parent, event, line)
            return
        value = self._value(event, line)
        where = self._attach(parent, value, line)
        if isinstance(value, (dict, list)):
            if len(self._open) == MAX_DEPTH:
                self._stop(line, "nested too deeply", f"nest at most {MAX_DEPTH} levels")
            self._open.append(_Open(value, where))

    def _take_key(self, parent: _Open, event: Any, line: int) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(line, "a key that is a list or a mapping", "use a word as the key")
        key = self._checked(event.value, line)
        if key in parent.seen:
            self.problem(line, f"the key {shown(key)} stands here twice", "remove one of them")
        parent.seen.add(key)
        parent.key = key
        self.lines[(*parent.where, key)] = line

    def _attach(self, parent: _Open | None, value: object, line: int) -> tuple[str | int, ...]:
        if parent is None:
            self.document = value
            self.lines[()] = line
            return ()
        if isinstance(parent.value, list):
            where: tuple[str | int, ...] = (*parent.where, len(parent.value))
            parent.value.append(value)
            self.lines[where] = line
            return where
        key = parent.key or ""
        parent.value[key] = value
        parent.key = None
        return (*parent.where, key)

    def _value(self, event: Any, line: int) -> object:
        if isinstance(event, yaml.MappingStartEvent):
            return {}
        if isinstance(event, yaml.SequenceStartEvent):
            return []
        text = self._checked(event.value, line)
        return _plain_value(text) if event.implicit[0] else text

    def _checked(self, text: str, line: int) -> str:
        if _FORBIDDEN.search(text):
            self.problem(line, "text with a control character", "remove it")
        return _FORBIDDEN.sub("?", text)

    def _stop(self, line: int, problem: str, remedy: str) -> None:
        self.problem(line, problem, remedy)
        raise _Stop


def _plain_value(text: str) -> object:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _syntax_problem(error: yaml.YAMLError, text: str) -> YamlProblem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    line = mark.line + 1 if mark else 1
    if mark is None and isinstance(position, int):
        line = text.count("\n", 0, position) + 1
    reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    reason = " ".join(reason.split())
    lines = text.splitlines()
    if "cannot start any token" in reason and line <= len(lines) and "\t" in lines[line - 1]:
        return YamlProblem(line=line, problem="a tab in the indentation", remedy="use spaces")
    return YamlProblem(
        line=line,
        problem=f"not YAML: {reason}",
        remedy="check indentation, colons and quotes on this line and the one above",
    )
