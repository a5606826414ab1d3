"""Column lineage: of which fields of other ports each field of an output port is made.

    found = columns_of(project, project.contract("call-center.calls"))
    found.values["duration_s"]     # {Ref("call-center.finished-calls", "started_at"), …}
    found.decides                  # of which fields it depends which rows there are

Read from the port's SQL by `sqlsources`; nothing is run. Where that reader does not know, the
port is *unknown* with the reason, and is said to be made of all that its product reads. Not
here: who reads which port (`lineage`), and what follows from a change (`impact`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mesh.contract.links import LINK_FIELDS
from mesh.contract.model import Contract, InputPort, OutputPort
from mesh.contract.names import to_snake
from mesh.contract.project import Project
from mesh.contract.sqlrows import Fields, Rows, Unclear, tables_of
from mesh.contract.sqlsources import sources_of

__all__ = ["PortColumns", "PortReader", "Ref", "columns_of"]

# What a query may call an input: its rows of a batch, what changed of it, all that is kept.
PREFIXES = ("new_", "changed_", "")
BESIDE = (".keys.sql", ".needs.sql")


class Ref(NamedTuple):
    """A field of a port, which its contract's id names."""

    contract_id: str
    field: str

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.contract_id}.{self.field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortColumns:
    """Of which input fields a port is made.

    *values* says it for the value of each field, *decides* for which rows there are at all.
    *named* are all fields that the port's SQL names, the files beside it included. *unknown* is
    why it could not be told, or empty.
    """

    contract_id: str
    values: Mapping[str, frozenset[Ref]]
    decides: frozenset[Ref]
    named: frozenset[Ref]
    unknown: str = ""


class PortReader:
    """Reads the ports of one project, whose contracts it looks up once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._contracts = project.contracts
        self._relations = tuple(each.id for each in project.relations)

    def columns(self, contract: Contract) -> PortColumns:
        """Of which input fields the port of *contract* is made; a staging port is made of none."""
        product = self._project.product(contract.product)
        port = next((each for each in product.outputs if each.contract.id == contract.id), None)
        if port is None:
            none: frozenset[Ref] = frozenset()
            values = dict.fromkeys((each.name for each in contract.fields), none)
            return PortColumns(contract_id=contract.id, values=values, decides=none, named=none)
        inputs = {to_snake(each.name): self._fields(each) for each in product.inputs}
        families = {to_snake(each.name) for each in product.inputs if each.family}
        try:
            return read_port(port, inputs, families)
        except Unclear as unclear:
            return not_known(port, inputs, f"{port.sql_path.name}: {unclear}")

    def _fields(self, port: InputPort) -> dict[str, frozenset[Ref]]:
        """What each column of an input is, by its name; a family's are those of all members."""
        if port.family:
            names = [name for name, _, _ in LINK_FIELDS]
            return {name: frozenset(Ref(each, name) for each in self._relations) for name in names}
        contract = self._contracts.get(port.contract_id)
        if contract is None:  # whoever offers it has not come yet, or has left
            return {"": frozenset({Ref(port.contract_id, "")})}
        return {each.name: frozenset({Ref(contract.id, each.name)}) for each in contract.fields}


def columns_of(project: Project, contract: Contract) -> PortColumns:
    """Of which input fields the port of *contract* is made."""
    return PortReader(project).columns(contract)


def read_port(
    port: OutputPort, inputs: Mapping[str, Mapping[str, frozenset[Ref]]], families: set[str]
) -> PortColumns:
    """Read the SQL of a port. Raises `Unclear`."""
    tables: dict[str, Rows] = {}
    for name, fields in inputs.items():
        if "" in fields:
            raise Unclear(f"it reads {next(iter(fields[''])).contract_id}, which is not known")
        # Beside the fields of a link, a family's table says which message it came with.
        rows = tables_of({name: fields}, is_open=name in families)[name]
        tables |= dict.fromkeys((prefix + name for prefix in PREFIXES), rows)
    found = sources_of(text_of(port.sql_path), tables)
    names = [each.name for each in port.contract.fields]
    values = {name: refs(found.column(name.lower()), inputs) for name in names}
    decides = refs(found.decides, inputs)
    beside = (named_beside(port, tables, suffix) for suffix in BESIDE)
    named = refs(frozenset().union(*beside), inputs).union(decides, *values.values())
    return PortColumns(contract_id=port.contract.id, values=values, decides=decides, named=named)


def named_beside(port: OutputPort, tables: Mapping[str, Rows], suffix: str) -> Fields:
    """What a file beside the port's SQL is made of."""
    path = port.sql_path.with_suffix(suffix)
    if not path.exists():
        return frozenset()
    keys: tuple[tuple[str, Fields], ...]
    keys = tuple((each.name, frozenset()) for each in port.contract.key_fields)
    found = sources_of(text_of(path), {**tables, "_touched": Rows(columns=keys)})
    return found.everything | found.decides


def not_known(
    port: OutputPort, inputs: Mapping[str, Mapping[str, frozenset[Ref]]], reason: str
) -> PortColumns:
    """A port that may be made of anything that its product reads."""
    everything = frozenset(
        ref for fields in inputs.values() for found in fields.values() for ref in found if ref.field
    )
    return PortColumns(
        contract_id=port.contract.id,
        values=dict.fromkeys((each.name for each in port.contract.fields), everything),
        decides=everything,
        named=everything,
        unknown=reason,
    )


def refs(
    found: Fields | None, inputs: Mapping[str, Mapping[str, frozenset[Ref]]]
) -> frozenset[Ref]:
    """The ports' fields that columns of inputs are. Raises `Unclear` where there is no column."""
    if found is None:
        raise Unclear("it does not give every field of the contract")
    return frozenset[Ref]().union(*(inputs[name][field] for name, field in found))


def text_of(path: Path) -> str:
    """The SQL. Raises `Unclear` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unclear("it cannot be read") from error
