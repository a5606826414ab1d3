"""The declared mapping from a file's columns to a contract's fields, read and checked.

    file:                       # all optional
      delimiter: ";"            # found out where it is absent
      quote: '"'                # "" where nothing is quoted
      encoding: utf-8           # any that Python knows; a byte order mark is taken off
      header: true              # false: columns are called 1, 2, 3, …
    fields:                     # field of the contract: where it comes from
      phone_number: {column: From, pad: 4, prefix: "+1202555"}
      started_at: {column: Date, format: "%d/%m/%Y %H:%M", timezone: Europe/Amsterdam}
      ended_at: {column: Date, format: "%d/%m/%Y %H:%M", plus_seconds: Duration}
      queue: {column: Q, map: {B: billing, T: technical}}
      site: {value: north}      # the same for every line

`format` takes DuckDB's strptime codes, one or a list, tried in order; without it a time is ISO
8601. A time without an offset is in `timezone` (UTC where absent): one that daylight saving skipped
is a bad line, of one that it repeated the later is meant. `pad` fills up with zeros before `prefix`
is put on. Text that is empty is null unless `empty_is_null: false`. A key that is not mapped is
left to whoever feeds, to derive from the line's digest.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import Field as Constrained

from mesh.contract.faults import Fault
from mesh.contract.literals import LiteralProblem, literal
from mesh.contract.model import Contract, Field
from mesh.contract.names import listed, nearest
from mesh.contract.types import Kind
from mesh.contract.yamlfile import YamlFile, YamlPath, read_yaml
from mesh.errors import InvalidFile
from mesh.product.mapping_sql import Source, TimeProblem, check_times

__all__ = ["Mapping", "load_mapping"]

_RULE = "mapping"
_Format = Annotated[str, Constrained(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How the lines of a file become rows of a contract; *delimiter* is None where undeclared."""

    path: Path
    sources: MappingOf[str, Source]
    delimiter: str | None
    quote: str
    encoding: str
    has_header: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        wanted = (
            column for one in self.sources.values() for column in (one.column, one.plus_seconds)
        )
        return tuple(dict.fromkeys(column for column in wanted if column is not None))


class _Part(BaseModel):
    # A column called 1, or a code 7, is text to us and a number to YAML.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class _File(_Part):
    delimiter: Annotated[str, Constrained(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Constrained(max_length=1)] = '"'
    encoding: str = "utf-8"
    header: bool = True


class _Field(_Part):
    column: str | None = None
    value: object = None
    format: _Format | list[_Format] | None = None
    timezone: str | None = None
    plus_seconds: str | None = None
    prefix: str = ""
    pad: Annotated[int, Constrained(ge=0, le=100)] = 0
    map: dict[str, str] | None = None
    empty_is_null: bool = True


class _Document(_Part):
    file: _File = _File()
    fields: dict[str, _Field]


def load_mapping(path: Path, contract: Contract) -> Mapping:
    """Read the mapping at *path* for rows of *contract*. Raises `InvalidFile` with every fault."""
    file = read_yaml(path)
    try:
        document = _Document.model_validate(file.document)
    except ValidationError as error:
        raise InvalidFile(_shape_faults(file, error)) from error
    by_name = {field.name: field for field in contract.fields}
    faults = _encoding_faults(file, document.file) + _missing_faults(file, document, contract)
    sources: dict[str, Source] = {}
    for name, given in document.fields.items():
        where = ("fields", name)
        if name not in by_name:
            near = nearest(name, by_name)
            remedy = f"write {near}" if near else f"use one of {listed(by_name)}"
            faults.append(_fault(file, where, f"{contract.id} has no field {name}", remedy))
            continue
        try:
            sources[name] = _source(given, by_name[name])
        except (LiteralProblem, TimeProblem, _FieldProblem) as found:
            faults.append(_fault(file, where, f"{name}: {found.problem}", found.remedy))
    if faults:
        raise InvalidFile(sorted(faults, key=lambda fault: fault.line))
    return Mapping(
        path=path,
        sources=sources,
        delimiter=document.file.delimiter,
        quote=document.file.quote,
        encoding=document.file.encoding,
        has_header=document.file.header,
    )


class _FieldProblem(Exception):
    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


def _source(given: _Field, field: Field) -> Source:
    """Return where *field* comes from, once what is *given* fits its type."""
    if field.type.is_nested:
        raise _FieldProblem("a column cannot fill a list or an object", "leave it out")
    if (given.column is None) == (given.value is None):
        raise _FieldProblem(
            "it comes from either a column or a value", "write `column: …` or `value: …`"
        )
    if given.value is not None:
        if others := given.model_fields_set - {"value"}:
            raise _FieldProblem(f"a value takes no {listed(sorted(others))}", "leave that out")
        return Source(type=field.type, constant=literal(given.value, field.type))
    _check_kind(given, field.type.kind)
    formats = [given.format] if isinstance(given.format, str) else given.format or []
    check_times(formats, given.timezone)
    return Source(
        type=field.type,
        column=given.column,
        is_required=field.is_required,
        formats=tuple(formats),
        timezone=given.timezone or "UTC",
        plus_seconds=given.plus_seconds,
        prefix=given.prefix,
        pad=given.pad,
        codes=given.map,
        empty_is_null=given.empty_is_null,
    )


def _check_kind(given: _Field, kind: Kind) -> None:
    """Raise `_FieldProblem` where something is given that a field of *kind* has no use for."""
    if kind != "string" and (given.prefix or given.pad):
        raise _FieldProblem(f"prefix and pad are for text, and this is {kind}", "leave them out")
    if kind != "timestamp" and (given.timezone or given.plus_seconds):
        raise _FieldProblem(
            f"timezone and plus_seconds are for times, and this is {kind}", "leave them out"
        )
    if kind not in ("timestamp", "date") and given.format:
        raise _FieldProblem(f"format is for times and dates, and this is {kind}", "leave it out")


def _encoding_faults(file: YamlFile, given: _File) -> list[Fault]:
    faults: list[Fault] = []
    try:
        "x".encode(given.encoding)  # of no text, Python does not even look the name up
    except (LookupError, ValueError):
        remedy = "write utf-8, latin-1, cp1252, utf-16 or another that Python knows"
        problem = f"there is no text encoding {given.encoding}"
        faults.append(_fault(file, ("file", "encoding"), problem, remedy))
    for name, sign in (("delimiter", given.delimiter), ("quote", given.quote)):
        if sign in ("\n", "\r", "\x00"):
            remedy = "write one character that stands inside a line"
            faults.append(_fault(file, ("file", name), f"the {name} ends lines", remedy))
    if given.delimiter is not None and given.delimiter == given.quote:
        problem = "delimiter and quote are the same"
        faults.append(_fault(file, ("file",), problem, "write two different characters"))
    return faults


def _missing_faults(file: YamlFile, document: _Document, contract: Contract) -> list[Fault]:
    return [
        _fault(
            file,
            ("fields",),
            f"{field.name}, which {contract.id} requires, is not mapped",
            f"add `{field.name}: {{column: …}}`",
        )
        for field in contract.fields
        if field.is_required and not field.key_position and field.name not in document.fields
    ]


def _shape_faults(file: YamlFile, error: ValidationError) -> list[Fault]:
    """Return what pydantic found, at its line, with the nearest word that would be right."""
    faults = []
    for found in error.errors(include_url=False):
        where = tuple(part for part in found["loc"])
        word = str(where[-1]) if where else "the document"
        if found["type"] == "extra_forbidden":
            model = (_Document, _File, _Field)[min(len(where) - 1, 1) + (where[0] == "fields")]
            near = nearest(word, model.model_fields)
            remedy = f"write {near}" if near else f"use one of {listed(model.model_fields)}"
            faults.append(_fault(file, where, f"{word} is not known here", remedy))
        else:
            faults.append(_fault(file, where, f"{word}: {found['msg'].lower()}", "mend it"))
    return faults


def _fault(file: YamlFile, where: YamlPath, problem: str, remedy: str) -> Fault:
    return Fault(
        path=file.path, line=file.line_of(where), problem=problem, remedy=remedy, rule=_RULE
    )
