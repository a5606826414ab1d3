"""`mesh contract`: check contracts, show them, and compare two versions."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mesh.cli.contract_check import check
from mesh.cli.findings import as_line, as_record, faults_as_json, print_json
from mesh.contract.diff import Change, diff, needs_new_major
from mesh.contract.faults import Fault
from mesh.contract.model import Contract, Field
from mesh.contract.names import listed
from mesh.contract.odcs import check_contract, load_contract
from mesh.contract.project import load_project
from mesh.contract.types import avro_schema, duckdb_type
from mesh.contract.yamlfile import read_yaml
from mesh.errors import InvalidFile, WrongUse

__all__ = ["contract"]

_JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


@click.group()
def contract() -> None:
    """Check, show and compare data contracts (ODCS 3.2.0)."""


@contract.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@_JSON
def lint(paths: tuple[Path, ...], is_json: bool) -> None:
    """Check contract files, or all `*.odcs.yaml` below a folder.

    Example: mesh contract lint products/call_center/contracts

    Exits with 1 if there is any fault; warnings alone do not count.
    """
    files = [file for path in paths for file in _contract_files(path)]
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for file in files:
        found_faults, found_warnings = _lint(file)
        faults += found_faults
        warnings += found_warnings
    if is_json:
        findings = [as_record(one) for one in faults]
        findings += [as_record(one, level="warning") for one in warnings]
        print_json({"ok": not faults, "files": len(files), "findings": findings})
    else:
        for one in faults:
            click.echo(as_line(one))
        for one in warnings:
            click.echo(as_line(one, level="warning"))
        click.echo(f"{_count(len(files), 'contract')}: {_count(len(faults), 'fault')}")
    sys.exit(1 if faults else 0)


@contract.command()
@click.argument("id_or_path")
@_JSON
@click.pass_context
def show(context: click.Context, id_or_path: str, is_json: bool) -> None:
    """Show a contract: its topic, fields, types and rules.

    Example: mesh contract show call-center.calls
    """
    with faults_as_json(is_json=is_json):
        found = _find(context, id_or_path)
    if is_json:
        print_json(_as_record(found))
    else:
        click.echo("\n".join(_as_lines(found)))


@contract.command("diff")
@click.argument("old")
@click.argument("new")
@_JSON
@click.pass_context
def diff_(context: click.Context, old: str, new: str, is_json: bool) -> None:
    """Compare two versions of a contract, each given by id or path.

    Example: mesh contract diff call-center.calls drafts/calls.odcs.yaml

    Exits with 1 if NEW breaks readers of OLD and has no higher major version.
    """
    with faults_as_json(is_json=is_json):
        before, after = _find(context, old), _find(context, new)
    changes = diff(before, after)
    is_refused = needs_new_major(before, after)
    readers = _readers(context, before) if is_refused else ()
    if is_json:
        print_json(
            {
                "ok": not is_refused,
                "readers": list(readers),
                "old": {"id": before.id, "version": before.version},
                "new": {"id": after.id, "version": after.version},
                "changes": [_change_record(one) for one in changes],
            }
        )
    else:
        for one in changes:
            click.echo(str(one))
        click.echo(_verdict(before, after, changes))
        if is_refused:
            click.echo(f"it is read by {listed(readers) or 'nobody yet'}")
    sys.exit(1 if is_refused else 0)


contract.add_command(check)


def _contract_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.rglob("*.odcs.yaml"))
        if not found:
            raise WrongUse(f"no contract below {path}: their files end in .odcs.yaml")
        return found
    if not path.exists():
        raise WrongUse(f"there is no file {path}: name a contract or a folder")
    return [path]


def _lint(path: Path) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    try:
        checked = check_contract(read_yaml(path))
    except InvalidFile as error:
        return error.faults, ()
    return checked.faults, checked.warnings


def _find(context: click.Context, id_or_path: str) -> Contract:
    """Return the contract at a path, or with an id of the project."""
    path = Path(id_or_path)
    if path.is_file() or id_or_path.endswith((".yaml", ".yml")):
        return load_contract(path)
    return load_project(context.obj.project_root).contract(id_or_path)


def _readers(context: click.Context, found: Contract) -> tuple[str, ...]:
    """Who reads a contract, where this is a project and it can be read."""
    try:
        return load_project(context.obj.project_root).readers_of(found)
    except InvalidFile:
        return ()


def _as_lines(found: Contract) -> list[str]:
    head = [
        f"{found.id} {found.version}: {found.description}",
        f"topic    {found.topic}",
        f"kind     {found.kind}, {_count(found.partitions, 'partition')}, {_kept(found)}",
        f"access   {found.access}",
        f"purpose  {found.purpose or '-'}",
        "fields",
    ]
    width = max(len(field.name) for field in found.fields)
    types = max(len(duckdb_type(field.type)) for field in found.fields)
    rows = [
        f"  {field.name:{width}}  {duckdb_type(field.type):{types}}  {_marks(field)}".rstrip()
        for field in found.fields
    ]
    rules = [f"  {rule.name}: {rule.expression}" for rule in found.rules]
    return [*head, *rows, "rules", *(rules or ["  none"])]


def _kept(found: Contract) -> str:
    if found.retention_ms is None:
        return "kept for ever"
    days, rest = divmod(found.retention_ms, 86_400_000)
    return f"kept {found.retention_ms // 1000} s" if rest else f"kept {_count(days, 'day')}"


def _marks(field: Field) -> str:
    marks = [
        f"key {field.key_position}" if field.key_position else "",
        "required" if field.is_required else "",
        "personal" if field.is_personal else "",
        field.identifier or "",
        f"masked: {field.masked}" if field.masked else "",
    ]
    return ", ".join(mark for mark in marks if mark)


def _as_record(found: Contract) -> dict[str, object]:
    return {
        "id": found.id,
        "version": found.version,
        "name": found.name,
        "domain": found.domain,
        "product": found.product,
        "description": found.description,
        "topic": found.topic,
        "kind": found.kind,
        "partitions": found.partitions,
        "retention_ms": found.retention_ms,
        "access": found.access,
        "purpose": found.purpose,
        "fields": [_field_record(field) for field in found.fields],
        "rules": [
            {"name": rule.name, "field": rule.field, "expression": rule.expression}
            for rule in found.rules
        ],
        "avro": avro_schema(found),
        "file": str(found.path),
        "masked_from": found.masked_from.id if found.masked_from else None,
    }


def _field_record(field: Field) -> dict[str, object]:
    return {
        "name": field.name,
        "type": duckdb_type(field.type),
        "required": field.is_required,
        "key_position": field.key_position,
        "identifier": field.identifier,
        "personal": field.is_personal,
        "masked": field.masked,
        "classification": field.classification,
        "description": field.description,
    }


def _change_record(change: Change) -> dict[str, object]:
    return {
        "field": change.field,
        "what": change.what,
        "breaking": change.is_breaking,
        "why": change.why,
    }


def _verdict(old: Contract, new: Contract, changes: list[Change]) -> str:
    if not changes:
        return "no difference"
    if needs_new_major(old, new):
        return f"breaks readers: make it {old.major + 1}.0.0, a port of its own beside the old one"
    if any(one.is_breaking for one in changes):
        return f"breaks readers, as version {new.version} says"
    return "breaks no reader"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
