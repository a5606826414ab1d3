"""The GraphQL schema of a product, made from its contracts when it is first asked.

One field a port, with what may be asked of it; what is asked goes to *read* as the parameters
of the REST door, so that both mean the same. Not here: HTTP and limits (`graphql_door`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import new_class
from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.info import Info
from strawberry.types.nodes import SelectedField, Selection

from mesh.contract.field_type import FieldType, Part
from mesh.contract.model import Contract, Field
from mesh.ports.filters import operators_of
from mesh.ports.graphql_limits import LIMITS
from mesh.ports.question import Pairs
from mesh.ports.typed import text_of

__all__ = ["DEFAULT_LIMIT", "Read", "schema_of"]

DEFAULT_LIMIT = 100
# A port, the parameters of the question, the request's context: an answer as the schema has it.
Read = Callable[[str, Pairs, Any], Mapping[str, object]]

# Python's names may be no keywords, which those of contracts may; fields that we made have these.
PREFIX = "f_"
# What each scalar is called, and how its values stand in JSON.
SCALARS = {
    "uuid": ("UUID", "A UUID of 36 characters."),
    "int64": ("Int64", "A whole number of 64 bits, as text: JSON's readers round it after 2^53."),
    "float32": ("Number", "A number of 32 or 64 bits; NaN, Infinity and -Infinity are text."),
    "decimal": ("Decimal", "An exact decimal, as text."),
    "date": ("Date", "A date, as 2026-01-31."),
    "timestamp": ("Instant", "An instant in UTC, as 2026-01-31T12:00:00.000000Z."),
}
TYPES: dict[str, Any] = {name: NewType(called, str) for name, (called, _) in SCALARS.items()}
TYPES |= {"float64": TYPES["float32"], "string": str, "int32": int, "boolean": bool}
# JSON has a number for it, text for what it has none for.
AS_THEY_ARE = ("float32",)
LISTED = ("eq", "ne")


class Schema(strawberry.Schema):
    """A schema that logs no errors: whoever executes a document is told of them."""

    def process_errors(self, *_: object) -> None:
        """Say nothing."""


def schema_of(contracts: Mapping[str, Contract], read: Read) -> Schema:
    """The schema of the ports *contracts*, each answered by *read*."""
    maker = Maker()
    ports = {port_name(name): maker.port(name, each, read) for name, each in contracts.items()}
    scalars = {
        TYPES[kind]: strawberry.scalar(
            name=name,
            description=text,
            serialize=(lambda value: value) if kind in AS_THEY_ARE else str,
            parse_value=text_of,
        )
        for kind, (name, text) in SCALARS.items()
    }
    config = StrawberryConfig(
        auto_camel_case=False,
        default_resolver=lambda row, name: row[name.removeprefix(PREFIX)],
        scalar_map=scalars,
    )
    query = maker.type("Query", ports, "The ports of this product, for whom they were granted.")
    return Schema(query, config=config, extensions=LIMITS)


def port_name(port: str) -> str:
    """What a port is called in a query."""
    return port.replace("-", "_").replace(".", "_")


class Maker:
    """Makes types, each with a name of its own."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._filters: dict[str, Any] = {}
        topic = (str, "The topic of the input.")
        partition = (int, "Its partition.")
        offset = (TYPES["int64"], "The offset of the first message that is not in the rows.")
        self._offset = self.type(
            "Offset",
            {"topic": topic, "partition": partition, "offset": offset},
            "How far an input was taken in.",
        )

    def type(
        self, name: str, fields: Mapping[str, Any], description: str, *, is_input: bool = False
    ) -> Any:
        """A type of *fields*, each its Python type and its description, or made already."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        made: dict[str, Any] = {"__annotations__": {}}
        for each, field in fields.items():
            key = PREFIX + each
            if isinstance(field, tuple):
                default = {"default": strawberry.UNSET} if is_input else {}
                made["__annotations__"][key], text = field
                field = strawberry.field(name=each, description=text or None, **default)
            made[key] = field
        return strawberry.type(
            new_class(name, (), {}, lambda space: space.update(made)),
            name=name,
            description=description or None,
            is_input=is_input,
        )

    def port(self, port: str, contract: Contract, read: Read) -> Any:
        """The field of the query that reads *port*."""
        name = "".join(word.capitalize() for word in port_name(port).split("_"))
        fields = {
            each.name: (
                self._slot(Part(name=each.name, type=each.type, is_required=each.is_required),
                           f"{name}Row"),
                each.description,
            )
            for each in contract.fields
        }  # fmt: skip
        row = self.type(f"{name}Row", fields, contract.description)
        where = {
            each.name: (self._filter(each) | None, each.description) for each in contract.fields
        }
        page = self.type(
            name,
            {
                "rows": (list[row], "In order of key."),  # type: ignore[valid-type]
                "offsets": (list[self._offset], "For which the rows are true."),  # type: ignore[name-defined]
                "next": (str | None, "The cursor of the next page, null on the last."),
            },
            f"Rows of {contract.id} {contract.version}.",
        )
        wanted = self.type(f"{name}Where", where, "All of it must hold.", is_input=True)
        return strawberry.field(
            resolver=resolver(port, contract, read, page | None, wanted | None),
            name=port_name(port),
            description=contract.description,
        )

    def _slot(self, part: Part, path: str) -> Any:
        """The type of a field, of a list's item, of a record's part."""
        found = self._value(part.type, path, part.name)
        return found if part.is_required else found | None

    def _value(self, type_: FieldType, path: str, name: str) -> Any:
        if type_.kind == "list" and type_.item is not None:
            item = self._slot(type_.item, f"{path}_{name}")
            return list[item]  # type: ignore[valid-type]
        if type_.kind == "struct":
            fields = {each.name: (self._slot(each, f"{path}_{name}"), "") for each in type_.parts}
            return self.type(f"{path}_{name}", fields, "")
        return TYPES[type_.kind]

    def _filter(self, field: Field) -> Any:
        """What may be asked of a field: one input type a kind of field."""
        kind = "nested" if field.type.is_nested else field.type.kind
        if kind not in self._filters:
            scalar = TYPES.get(kind, bool)
            types = {"is_null": bool} | dict.fromkeys(LISTED, list[scalar])  # type: ignore[valid-type]
            fields = {each: (types.get(each, scalar) | None, "") for each in operators_of(field)}
            named = f"{kind.capitalize()}Is"
            self._filters[kind] = self.type(named, fields, "All must hold.", is_input=True)
        return self._filters[kind]


def resolver(port: str, contract: Contract, read: Read, page: Any, wanted: Any) -> Any:
    """What answers the field of *port*. Its annotations are types made here, so set by hand."""

    def resolve(
        info: Info, where: Any = None, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Any:
        pairs = [("limit", str(limit)), ("fields", ",".join(chosen(info, contract)))]
        pairs += [("cursor", cursor)] if cursor is not None else []
        return read(port, [*pairs, *filters(where, contract)], info.context)

    resolve.__annotations__ = {
        "info": Info, "where": wanted, "limit": int, "cursor": str | None, "return": page
    }  # fmt: skip
    return resolve


def chosen(info: Info, contract: Contract) -> list[str]:
    """The columns that are asked for below `rows`; of none, the key."""
    names = {
        each.name
        for field in info.selected_fields
        for rows in below(field.selections)
        if rows.name == "rows"
        for each in below(rows.selections)
    }
    return [each.name for each in contract.fields if each.name in names] or [
        contract.key_fields[0].name
    ]


def below(selections: Sequence[Selection]) -> Iterator[SelectedField]:
    """The fields of a selection, those in its fragments included."""
    for each in selections:
        if isinstance(each, SelectedField):
            yield each
        else:
            yield from below(each.selections)


def filters(where: Any, contract: Contract) -> Iterator[tuple[str, str]]:
    """What is asked of the fields, as parameters of a query."""
    for field in contract.fields:
        asked = getattr(where, PREFIX + field.name, None) or None
        for operator in operators_of(field) if asked is not None else ():
            value = getattr(asked, PREFIX + operator)
            if value is None or value is strawberry.UNSET:
                continue
            for each in value if operator in LISTED else [value]:
                yield f"{field.name}.{operator}", text_of(each)
