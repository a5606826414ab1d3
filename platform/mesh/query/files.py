"""Reads named queries: files of SQL that begin with what each promises.

    queries = load_queries(Path("company/queries"), people)
    queries[0].name, queries[0].parameters, queries[0].result.fields

The head is YAML in the one comment that a file begins with. Parameters and result are read as the
properties of a contract, with all its checks. Not here: whether the SQL gives the result, which
each run checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.contract.faults import Fault
from mesh.contract.model import Contract
from mesh.contract.names import is_kebab, parse_version, shown
from mesh.contract.odcs import API_VERSION, check_contract
from mesh.contract.people import Person
from mesh.contract.references import report_unknown
from mesh.contract.schema_check import schema_faults
from mesh.contract.types import FieldType
from mesh.contract.yamlfile import MAX_BYTES, Report, YamlFile, parse_yaml
from mesh.errors import InvalidFile
from mesh.query.statement import check_statement

if TYPE_CHECKING:
    from mesh.contract.project import Project

__all__ = ["QUERIES", "ROW", "NamedQuery", "Parameter", "load_queries", "load_query", "shipped_in"]

QUERIES = Path("company/queries")

_RULE = "query"
# A contract has a key; the one row of parameters has this, which no query can name.
ROW = "of_one_row"
_OPEN, _CLOSE = "/*", "*/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that a query is asked with, as `$name` in its text."""

    name: str
    type: FieldType
    description: str = ""
    examples: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """A query that has a name. *result* is the contract of its rows, with rules and key.

    *asked* is the contract of its parameters, as the columns of one row; *mart* says when its
    rows are made, where they are kept: `new offsets`, or a duration.
    """

    name: str
    version: str
    owner: str
    description: str
    parameters: tuple[Parameter, ...]
    result: Contract
    sql: str
    path: Path
    asked: Contract = field(repr=False)
    mart: str = ""


def shipped_in(project: Project) -> tuple[NamedQuery, ...]:
    """The named queries of a project. Raises `InvalidFile` with the faults of all."""
    return load_queries(project.root / QUERIES, project.people)


def load_queries(
    folder: Path, people: Mapping[str, Person] | None = None
) -> tuple[NamedQuery, ...]:
    """Read every query in *folder*, by name; of no folder, none.

    *people* are those who may own one, where they are known.
    Raises `InvalidFile` with the faults of all files.
    """
    report = Report()
    found: dict[str, NamedQuery] = {}
    # Others, as `NAME.keys.sql`, belong to one of them.
    for path in sorted(each for each in folder.glob("*.sql") if "." not in each.stem):
        try:
            one = load_query(path, people)
        except InvalidFile as error:
            report.faults += error.faults
            continue
        if one.name in found:
            problem = f"{one.name} is the name of {found[one.name].path.name}, too"
            report.faults.append(_fault(path, 0, problem, "rename one"))
        found[one.name] = one
    report.faults += [
        _fault(folder, 0, f"{person.name} may ask {name}, and there is no such query", "remove it")
        for person in (people or {}).values()
        for name in person.queries
        if not folder.joinpath(f"{name.partition('@')[0]}.sql").exists()
    ]
    report.raise_faults()
    return tuple(found[name] for name in sorted(found))


def load_query(path: Path, people: Mapping[str, Person] | None = None) -> NamedQuery:
    """Read one query, which one of *people* owns. Raises `InvalidFile` with its faults."""
    head, sql, first_line = _parts(path)
    # The head keeps its lines: it begins on the second one.
    file = parse_yaml(f"\n{head}".encode(), path)
    report = Report()
    report.faults += schema_faults(file, "queries")
    report.raise_faults()
    _check_head(file, people, report)
    asked = _contract(file, "parameters", report)
    result = _contract(file, "result", report)
    names = {each["name"].text for each in file.root["parameters"].items}
    report.faults += check_statement(path, sql, first_line, names)
    report.raise_faults()
    assert asked is not None  # noqa: S101 - else there were faults
    assert result is not None  # noqa: S101 - the same
    root = file.root
    return NamedQuery(
        name=root["name"].text,
        version=root["version"].text,
        owner=root["owner"].text,
        description=" ".join(root["description"].text.split()),
        parameters=tuple(_parameters(file, asked)),
        result=result,
        sql=sql,
        path=path,
        asked=asked,
        mart=root["mart"]["on"].text or root["mart"]["every"].text,
    )


def _parts(path: Path) -> tuple[str, str, int]:
    """The head, the SQL, and the line on which the SQL begins."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise _invalid(path, 0, f"cannot be read: {error.strerror}", "check its mode") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(path, line, "not UTF-8 text", "save the file as UTF-8") from error
    if len(data) > MAX_BYTES:
        raise _invalid(path, 0, "larger than 1 MiB", "no query is; check the path")
    if not re.match(r"/\*[ \t]*\n", text):
        raise _invalid(path, 1, "it does not begin with its head", "begin with a line `/*`")
    head, end, sql = text.partition("\n")[2].partition(_CLOSE)
    if not end:
        raise _invalid(path, 1, "its head has no end", "close the comment with `*/`")
    blank = sql[: len(sql) - len(sql.lstrip())]
    return head, sql.strip(), 2 + (head + blank).count("\n")


def _check_head(file: YamlFile, people: Mapping[str, Person] | None, report: Report) -> None:
    """Find what of a head is not as ours are."""
    root, expected = file.root, file.path.stem
    if root["name"].text != expected or not is_kebab(expected):
        problem = f"{shown(root['name'].value)} in the file {file.path.name}"
        remedy = "let both be one name in kebab-case"
        report.fault(root["name"], problem, remedy, rule=_RULE)
    if parse_version(root["version"].text) is None:
        problem = f"version {shown(root['version'].value)} has another form"
        report.fault(root["version"], problem, "write three numbers, as 1.0.0", rule=_RULE)
    if root["mart"].is_given and root["parameters"].items:
        remedy = "remove `mart:`, or the parameters"
        report.fault(root["mart"], "a mart has no parameters", remedy, rule=_RULE)
    if people is not None and root["owner"].text not in people:
        report_unknown(root["owner"], "person", root["owner"].text, people, report)


def _contract(file: YamlFile, part: str, report: Report) -> Contract | None:
    """What *part* of a head promises, as a contract; None where a fault went to *report*."""
    root = file.root
    properties = [dict(one.value) for one in root[part].items if isinstance(one.value, dict)]
    if part == "parameters":
        key = {"name": ROW, "logicalType": "string", "primaryKey": True}
        properties = [each | {"required": True} for each in (*properties, key)]
    document: dict[str, object] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": "queries.query",
        "version": "1.0.0",
        "status": "active",
        "domain": "queries",
        "schema": [
            {
                "name": part,
                "physicalType": "topic",
                "physicalName": "priv.queries.queries.query.v1",
                "description": "One row per key.",
                "properties": properties,
            }
        ],
        "customProperties": [{"property": "portKind", "value": "state"}],
    }
    lines = {
        ("schema", 0, "properties", *where[1:]): line
        for where, line in file.lines.items()
        if where[0:1] == (part,)
    }
    checked = check_contract(replace(file, document=document, lines=lines))
    report.faults += checked.faults
    if checked.contract is None:
        return None
    return replace(checked.contract, id=f"queries.{root['name'].text}")


def _parameters(file: YamlFile, asked: Contract) -> Iterable[Parameter]:
    """The parameters, with what the head says of each."""
    types = {each.name: each.type for each in asked.fields}
    for node in file.root["parameters"].items:
        yield Parameter(
            name=node["name"].text,
            type=types[node["name"].text],
            description=" ".join(node["description"].text.split()),
            examples=tuple(one.value for one in node["examples"].items),
        )


def _fault(path: Path, line: int, problem: str, remedy: str) -> Fault:
    return Fault(path=path, line=line, problem=problem, remedy=remedy, rule=_RULE)


def _invalid(path: Path, line: int, problem: str, remedy: str) -> InvalidFile:
    return InvalidFile([_fault(path, line, problem, remedy)])
