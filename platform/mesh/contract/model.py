"""The values that contracts and descriptors become once they are read and checked.

Not here: reading YAML (`odcs`, `odps`), types (`types`), row rules (`rules`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mesh.contract.names import to_snake
from mesh.contract.types import FieldType

__all__ = [
    "Access",
    "Contract",
    "Field",
    "InputPort",
    "Masked",
    "OutputPort",
    "PortKind",
    "Product",
    "Relation",
    "Rule",
]

PortKind = Literal["event", "state", "batch"]
Access = Literal["auto", "ask"]
Masked = Literal["hash", "mask", "omit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A promise about one row: *expression* is SQL over its columns and must not be false.

    A null result counts as kept: absence is the business of `required` alone.
    """

    name: str
    field: str | None
    expression: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a port. *key_position* counts from 1 in the primary key, 0 outside it.

    *masked* is what a port has for it that is made from this one; there, how it was made.
    """

    name: str
    type: FieldType
    is_required: bool = False
    key_position: int = 0
    description: str = ""
    identifier: str | None = None
    is_personal: bool = False
    classification: str | None = None
    masked: Masked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What the links of a port join: two types of identifier, and how many of each.

    *name* is the port's, and names the relation in the whole mesh.
    """

    name: str
    from_type: str
    to_type: str
    cardinality: str
    meaning: str

    @property
    def role(self) -> str:
        """In which role the one end has the other: the last word of the name."""
        return self.name.rpartition("-")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one port promises (ODCS 3.2.0), in the form that the rest of the mesh uses.

    *topic* is the physical name; *retention_ms* is None where nothing is deleted by age. Of a
    masked port, *masked_from* is the contract that this one was made from.
    """

    id: str
    version: str
    name: str
    domain: str
    product: str
    description: str
    topic: str
    kind: PortKind
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    partitions: int
    retention_ms: int | None
    purpose: str | None
    access: Access
    path: Path
    document: dict[str, object] = field(repr=False, compare=False)
    relation: Relation | None = None
    masked_from: Contract | None = field(default=None, repr=False)

    @property
    def is_streamed(self) -> bool:
        """Whether the port is a topic; a batch port is files, and its topic is a name only."""
        return self.kind != "batch"

    @property
    def day_field(self) -> str | None:
        """Of a batch port that is published by day: the field that says which (ODCS)."""
        return partition_of(self.document) if self.kind == "batch" else None

    @property
    def major(self) -> int:
        """The major version, which is part of the topic's name."""
        return int(self.version.split(".")[0])

    @property
    def port(self) -> str:
        """What the port is called within its product: `calls`, or `calls.v2` beside it."""
        return self.id.partition(".")[2]

    @property
    def status(self) -> str:
        """Where the contract stands in its life (ODCS): `active`, `deprecated` and the like."""
        return str(self.document.get("status", ""))

    @property
    def key_fields(self) -> tuple[Field, ...]:
        """The primary key's fields, in key order."""
        keys = (f for f in self.fields if f.key_position)
        return tuple(sorted(keys, key=lambda f: f.key_position))

    @property
    def has_personal_fields(self) -> bool:
        """Whether any field is marked as personal."""
        return any(f.is_personal for f in self.fields)

    @property
    def subject(self) -> str:
        """The registry subject of the topic's values."""
        return f"{self.topic}-value"

    @property
    def rejected_topic(self) -> str:
        """Where rows and messages go that break this contract."""
        port = self.topic.split(".")[3]
        return f"priv.{self.domain}.{self.product}.{port}.rejected.v{self.major}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPort:
    """What a product reads: another product's port, or a staging topic that *system* writes.

    *contract_id* is resolved by the project (`mesh.contract.project`). A port with a *family*
    stands for all ports of a kind, whoever's they are, and has no contract of its own. One that
    is *own* is a staging topic that the product itself writes.
    """

    name: str
    contract_id: str
    system: str | None = None
    keep: str = "all"
    family: str | None = None
    is_own: bool = False
    purpose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPort:
    """What a product offers: a contract, and the SQL that makes its rows (none of a batch port).

    *name* is the contract's `port`: two major versions of one port are two output ports.
    """

    name: str
    contract: Contract
    sql_path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One data product (Bitol ODPS 1.1.0 descriptor) with its contracts resolved."""

    id: str
    version: str
    name: str
    domain: str
    owner: str
    description: str
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    contracts: tuple[Contract, ...]
    folder: Path
    document: dict[str, object] = field(repr=False, compare=False)

    @property
    def is_batch_only(self) -> bool:
        """Whether it has no topic at all: it takes nothing in, and offers files alone."""
        return not self.inputs and not any(each.contract.is_streamed for each in self.outputs)

    @property
    def commands(self) -> tuple[InputPort, Path] | None:
        """The port of its own on which accepted commands stand, and the folder of their SQL."""
        own = [(each, self.folder / to_snake(each.name)) for each in self.inputs if each.is_own]
        return next(((port, folder) for port, folder in own if folder.is_dir()), None)


def partition_of(document: Any) -> str | None:
    """The name of the field by which a valid contract's rows are partitioned, if one is."""
    fields = document["schema"][0]["properties"]
    return next((str(each["name"]) for each in fields if each.get("partitioned") is True), None)
