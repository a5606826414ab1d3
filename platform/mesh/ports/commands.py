"""Which commands a product takes, and what it makes of one: SQL in the folder of an `own` port.

    products/contracts/commands/model.sql          what commands are judged by, as temporary views
    products/contracts/commands/port_number.sql    one row: what follows, and `refusals`

A command's fields are those of the port's contract that its SQL names (`$phone_number`);
`$command_id` and `$accepted_at` are given. Not here: the order of commands and the topic (`desk`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.faults import Fault
from mesh.contract.model import Contract, Field
from mesh.contract.names import listed, to_kebab
from mesh.contract.types import arrow_schema, duckdb_type
from mesh.errors import InvalidFile, MeshError, WrongUse
from mesh.ports.snapshot import translated
from mesh.ports.typed import Scalar, value_of
from mesh.product.intake import Checker
from mesh.product.transform import CAUSE

__all__ = ["BadCommand", "Command", "NotAccepted", "Refusal", "commands_of", "model_of"]

GIVEN = ("command_id", "accepted_at")
MODEL = "model.sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why not: *field* is empty where it is no single one."""

    field: str
    reason: str


class BadCommand(WrongUse):
    """What was sent is no command of the product."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(told(refusals))


class NotAccepted(MeshError):
    """It is a command, and it does not fit what is so now."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(told(refusals))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command; *fields* are what may be said of it."""

    name: str
    sql: str
    about: str
    fields: tuple[Field, ...]
    contract: Contract

    def read(self, body: Mapping[str, object]) -> dict[str, Scalar | None]:
        """What *body* says, by field. Raises `BadCommand`."""
        known = {each.name: each for each in self.fields}
        said: dict[str, Scalar | None] = dict.fromkeys(known)
        refusals = []
        for name, value in body.items():
            if name not in known:
                reason = f"{self.name} has no such field: it has {listed(sorted(known))}"
                refusals.append(Refusal(field=name[:80], reason=reason))
            elif value is not None:
                try:
                    said[name] = value_of(text_of(value), known[name].type)
                except WrongUse as error:
                    refusals.append(Refusal(field=name, reason=str(error)))
        if refusals:
            raise BadCommand(refusals)
        return said

    def judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        checker: Checker,
        row: Mapping[str, Scalar | None],
    ) -> pa.Table:
        """The row of the contract that follows from *row*, what was said and is given.

        *connection* has the model. Raises `BadCommand` where it breaks the contract,
        `NotAccepted` where the command's own SQL refuses it.
        """
        asked = typed(connection, self.contract, row)
        if bad := checked(checker, asked, self.contract)[1]:
            raise BadCommand(bad)
        values = {name: row.get(name) for name in (*GIVEN, *(f.name for f in self.fields))}
        used = duckdb.extract_statements(self.sql)[0].named_parameters
        with translated():
            found = connection.execute(
                self.sql, {name: value for name, value in values.items() if name in used}
            ).to_arrow_table()
        (refused,) = found["refusals"].to_pylist()
        if refused:
            raise NotAccepted([Refusal(**each) for each in refused])
        for name in found.column_names:
            if name in asked.column_names:
                place = asked.schema.get_field_index(name)
                asked = asked.set_column(place, name, found[name])
        good, bad = checked(checker, asked, self.contract)
        if bad:
            raise NotAccepted(bad)
        return good


def commands_of(folder: Path, contract: Contract) -> Mapping[str, Command]:
    """The commands in *folder*, by name. Raises `InvalidFile`."""
    fields = {each.name: each for each in contract.fields}
    found, faults = {}, list[Fault]()
    for path in sorted(each for each in folder.glob("*.sql") if each.name != MODEL):
        sql = path.read_text(encoding="utf-8")
        try:
            (statement,) = duckdb.extract_statements(sql)
        except (duckdb.Error, ValueError) as error:
            problem = f"it is not one query: {str(error).splitlines()[0][:200]}"
            faults.append(Fault(path=path, line=0, problem=problem, remedy="write one SELECT"))
            continue
        names = sorted(statement.named_parameters - {*GIVEN})
        if strange := [each for each in names if each not in fields]:
            remedy = f"name fields of {contract.id}"
            problem = f"it reads ${', $'.join(strange)}"
            faults.append(Fault(path=path, line=0, problem=problem, remedy=remedy))
            continue
        name = to_kebab(path.stem)
        found[name] = Command(
            name=name,
            sql=sql,
            about=sql.partition("\n")[0].removeprefix("--").strip(),
            fields=tuple(fields[each] for each in names),
            contract=contract,
        )
    if faults:
        raise InvalidFile(faults)
    return found


def model_of(folder: Path) -> str:
    """The SQL that makes what commands are judged by; none where there is no such file."""
    path = folder / MODEL
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def typed(
    connection: duckdb.DuckDBPyConnection, contract: Contract, row: Mapping[str, Scalar | None]
) -> pa.Table:
    """*row* in the contract's types; a list that is required and not said is empty."""
    columns, values = [], list[Scalar | None]()
    for each in contract.fields:
        empty = "[]" if each.type.kind == "list" and each.is_required else "?"
        columns.append(f'cast({empty} as {duckdb_type(each.type)}) as "{each.name}"')
        values += [row.get(each.name)] if empty == "?" else []
    with translated():
        return connection.execute(f"select {', '.join(columns)}", values).to_arrow_table()


def checked(checker: Checker, rows: pa.Table, contract: Contract) -> tuple[pa.Table, list[Refusal]]:
    """The row in the contract's types, and which of its rules it breaks."""
    numbered = rows.append_column(CAUSE, pa.array([0], pa.int64()))
    good, violations = checker.check(numbered, contract)
    refusals = [Refusal(field=each.field or "", reason=each.reason) for each in violations]
    return good.select(arrow_schema(contract).names), refusals


def text_of(value: object) -> str:
    """A value of JSON as text. Raises `WrongUse` for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise WrongUse("write text, a whole number, true or false")


def told(refusals: Sequence[Refusal]) -> str:
    """The refusals as one line."""
    return "; ".join(f"{e.field}: {e.reason}" if e.field else e.reason for e in refusals)
