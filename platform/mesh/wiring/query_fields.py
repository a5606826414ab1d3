"""The fields of a product that is made of a query: as its result has them, and what was left open.

A field that is made of personal ones is personal, unless it counts or the query says otherwise;
one that is called as an identifier, or is a field that holds one, holds it. Not here: the other
files (`query_product`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlglot
from sqlglot import exp

from mesh.contract.identifiers import Identifier
from mesh.contract.masking import mask_of
from mesh.contract.model import Contract, Field
from mesh.contract.names import listed, nearest, to_snake
from mesh.contract.sqlrows import Rows, Unclear, tables_of
from mesh.contract.sqlsources import sources_of
from mesh.errors import WrongUse
from mesh.product.new_shape import Column, Source
from mesh.product.new_values import properties_of
from mesh.query.files import NamedQuery

__all__ = ["Fields", "Made", "fields_of", "key_of"]

CONFIDENTIAL = "confidential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One field: its *document* in the contract, and *made_of*, the fields that its value is of."""

    field: Field
    document: Mapping[str, object]
    made_of: Sequence[tuple[Source, Field]]
    is_inferred: bool

    @property
    def column(self) -> Column:
        """The same as a column of a new product's port."""
        return Column(name=self.field.name, how="as it is", source=None, origin=self.field)

    @property
    def origins(self) -> str:
        """What it is made of, for people."""
        return listed(f"{source.contract.id}.{each.name}" for source, each in self.made_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of the port, in the query's order. *unclear* says why their origin is unknown."""

    made: Sequence[Made]
    unclear: str = ""

    def notes(self) -> Iterator[str]:
        """What the owner should know of them."""
        if self.unclear:
            yield f"of what each field is made cannot be told, so all may be: {self.unclear}"
        for each in self.made:
            field = each.field
            if each.is_inferred and field.identifier:
                yield f"{field.name} is marked as the identifier {field.identifier}"
            if field.is_personal:
                yield f"{field.name} is personal: it is carried, and marked so"
            elif any(
                mask_of(origin) is not None and source.contract.masked_from is None
                for source, origin in each.made_of
            ):
                yield f"{field.name} is made of what masked ports do not show: {each.origins}"

    def questions(self) -> Iterator[str]:
        """What the owner has to answer before accepting the contract."""
        for each in self.made:
            if each.field.is_personal:
                of = f", made of {each.origins}" if each.made_of else ""
                yield f"{each.field.name} is marked as personal{of}: may it be kept for this?"


def key_of(query: NamedQuery, asked: str | None) -> tuple[str, ...]:
    """The key: the fields *asked* for, else those of the query's. Raises `WrongUse`."""
    result = query.result
    if asked is None:
        return tuple(each.name for each in result.key_fields)
    names = tuple(each.strip() for each in asked.split(","))
    known = {each.name: each for each in result.fields}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"it has {listed(known)}"
            raise WrongUse(f"{query.name} gives no column {name!r}: {hint}")
        if not known[name].is_required:
            raise WrongUse(f"{name} may be null in {query.name}, and a key has a value in each row")
    if len({*names}) < len(names):
        raise WrongUse("name each field of the key once")
    return names


def fields_of(
    query: NamedQuery,
    key: Sequence[str],
    sql: str,
    sources: Sequence[Source],
    identifiers: Mapping[str, Identifier],
) -> Fields:
    """The fields that the query, as *sql* over *sources*, promises, with *key*."""
    by_name = {each.table: each for each in sources}
    known = {
        (name, each.name): (source, each)
        for name, source in by_name.items()
        for each in source.contract.fields
    }
    counts = counted(sql)
    rows, unclear = traced(sql, {name: each.contract for name, each in by_name.items()})
    given = properties_of(query.result)
    made = []
    for each in query.result.fields:
        found = known.keys() if rows is None else rows.column(each.name) or ()
        made_of = [known[ref] for ref in sorted(found) if ref in known and each.name not in counts]
        position = key.index(each.name) + 1 if each.name in key else 0
        field = replace(each, key_position=position)
        made.append(marked(field, given[each.name], made_of, identifiers))
    return Fields(made=made, unclear=unclear)


def traced(sql: str, inputs: Mapping[str, Contract]) -> tuple[Rows | None, str]:
    """Of which fields each column is made, or why that cannot be told."""
    names = {name: [each.name for each in contract.fields] for name, contract in inputs.items()}
    try:
        return sources_of(sql, tables_of(names)), ""
    except Unclear as unclear:
        return None, str(unclear)


def counted(sql: str) -> set[str]:
    """The columns that say how many rows there are, and nothing of what is in them."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return set()
    chosen = tree.expressions if isinstance(tree, exp.Select) else []
    plain = {each.alias_or_name: each.unalias() for each in chosen}
    return {
        name.lower()
        for name, each in plain.items()
        if isinstance(each.this if isinstance(each, exp.Filter) else each, exp.Count)
    }


def marked(
    field: Field,
    given: Mapping[str, Any],
    made_of: Sequence[tuple[Source, Field]],
    identifiers: Mapping[str, Identifier],
) -> Made:
    """A field with its document, marked as what it is made of."""
    custom = {each["property"]: each["value"] for each in given.get("customProperties", ())}
    identifier = field.identifier or held_by(field, made_of, identifiers)
    known = identifiers.get(identifier or "")
    is_personal = bool(known and known.is_personal) or bool(
        custom.get("personal", any(each.is_personal for _, each in made_of))
    )
    classes = [each.classification for _, each in made_of if each.classification]
    classification = field.classification or next(iter(classes), CONFIDENTIAL)
    document = {n: v for n, v in given.items() if not n.startswith("primaryKey")}
    if field.key_position:
        document |= {"primaryKey": True, "primaryKeyPosition": field.key_position}
    if is_personal:
        document["classification"] = classification
    marks = {"identifier": identifier, "personal": is_personal}
    more = [{"property": n, "value": v} for n, v in marks.items() if v and n not in custom]
    if more:
        document["customProperties"] = [*given.get("customProperties", ()), *more]
    return Made(
        field=replace(
            field,
            identifier=identifier,
            is_personal=is_personal,
            classification=classification if is_personal else field.classification,
        ),
        document=document,
        made_of=made_of,
        is_inferred=identifier != field.identifier,
    )


def held_by(
    field: Field,
    made_of: Sequence[tuple[Source, Field]],
    identifiers: Mapping[str, Identifier],
) -> str | None:
    """The identifier that a field holds by its name, or by the one field that it is of."""
    if field.type.kind not in ("string", "uuid"):
        return None
    if any(source.contract.masked_from and each.masked for source, each in made_of):
        return None  # a hash, or stars
    named = next((name for name in identifiers if to_snake(name) == field.name), None)
    if named is not None or len(made_of) != 1:
        return named
    origin = made_of[0][1]
    return origin.identifier if (origin.name, origin.type) == (field.name, field.type) else None
