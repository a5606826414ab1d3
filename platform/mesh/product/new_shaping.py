"""What a new product's port has, decided from the contracts that it reads: its key, its columns.

    identifier shared by all inputs ─► one row per value: what the first state port says of it,
                                       and how many rows of each other input have it
    an event port                   ─► one row per row of its one input

Personal fields are left out; only a key, or the one identifier, is carried, and marked. Not here:
how it is written (`new_sql`, `new_cases`, `new_files`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from mesh.contract.field_type import FieldType
from mesh.contract.identifiers import Identifier
from mesh.contract.masking import mask_of
from mesh.contract.model import Contract, Field, Relation
from mesh.contract.names import listed, to_snake
from mesh.contract.project import Project
from mesh.errors import WrongUse
from mesh.product.new_shape import Column, Shape, Source

__all__ = ["fields_by", "shape_of"]

COUNT = FieldType(kind="int64")
# What has no canonical text is no key.
NO_KEY = ("list", "struct", "float32", "float64")


def shape_of(
    sources: Sequence[Source],
    kind: Literal["event", "state"],
    by: str | None,
    project: Project,
) -> Shape:
    """What is made of *sources*, by the identifier *by* or one that they share.

    Raises `WrongUse` where they do not go together.
    """
    if kind == "event":
        if len(sources) > 1 or sources[0].contract.kind != "event" or by is not None:
            raise WrongUse(
                "an event port maps one event port, row by row, and has its key: give one --from"
                " and no --by, or make a state port of it (--kind state)"
            )
        return event_shape(sources[0], project.identifiers)
    shared = [name for name in shared_by(sources) if name in project.identifiers]
    if not shared or by not in (None, *shared):
        raise WrongUse(apart(sources, by, shared, project.relations))
    chosen = by or chosen_of(shared, sources)
    keyed = tuple(replace(each, by=fields_by(each.contract)[chosen]) for each in sources)
    spine = next((each for each in keyed if each.is_lone), None)
    columns = [key_of(chosen, keyed, spine), *state_columns(keyed, spine)]
    return Shape(
        kind="state",
        sources=keyed,
        columns=tuple(told_apart(columns)),
        spine=spine,
        identifier=chosen,
        left_out=tuple(
            (each, field)
            for each in keyed
            for field in each.contract.fields
            if each.is_lone and field != each.by and hides(field, each)
        ),
        others=tuple(name for name in shared if name != chosen),
    )


def event_shape(source: Source, identifiers: Mapping[str, Identifier]) -> Shape:
    """An event port with the fields of *source* that lead to nobody, its key and an identifier."""
    fields = source.contract.fields
    carried = [f for f in fields if f.key_position or not hides(f, source)]
    if not any(f.identifier in identifiers for f in carried):
        carried += [f for f in fields if f.identifier in identifiers][:1]
    return Shape(
        kind="event",
        sources=(source,),
        columns=tuple(
            Column(name=called(f, source), how="as it is", source=source, origin=f)
            for f in fields
            if f in carried
        ),
        left_out=tuple((source, f) for f in fields if f not in carried),
    )


def hides(field: Field, source: Source) -> bool:
    """Whether a field is left out: it is personal, or hidden in masked ports for what it says."""
    if source.contract.masked_from is not None:
        return field.masked == "mask"  # the same stars in each row
    return mask_of(field) is not None


def called(field: Field, source: Source) -> str:
    """What a field that is carried is called: a hash no longer as the identifier that it was."""
    is_hash = source.contract.masked_from is not None and field.masked == "hash"
    return f"{field.name}_hash" if is_hash else field.name


def told_apart(columns: Iterable[Column]) -> Iterator[Column]:
    """*columns* without those whose name was there before."""
    seen: set[str] = set()
    for each in columns:
        if each.name not in seen:
            seen.add(each.name)
            yield each


def fields_by(contract: Contract) -> dict[str, Field]:
    """The first field that holds each identifier."""
    found: dict[str, Field] = {}
    for each in contract.fields:
        if each.identifier and each.type.kind not in NO_KEY:
            found.setdefault(each.identifier, each)
    return found


def shared_by(sources: Sequence[Source]) -> list[str]:
    """The identifiers that all have, of one type, in the order of the first one's fields."""
    first, *others = (fields_by(each.contract) for each in sources)
    return [
        name
        for name, field in first.items()
        if all(name in each and each[name].type == field.type for each in others)
    ]


def chosen_of(shared: Sequence[str], sources: Sequence[Source]) -> str:
    """The identifier by which there are rows: a state port's key, else none that is a key."""
    keys = {each.contract.key_fields[0].identifier: each for each in reversed(sources)
            if len(each.contract.key_fields) == 1}  # fmt: skip
    for name in shared:
        if name in keys and keys[name].contract.kind == "state":
            return name
    return next((name for name in shared if name not in keys), shared[0])


def key_of(name: str, sources: Sequence[Source], spine: Source | None) -> Column:
    """The key: called as the spine has it, or all have it, else as the company calls it."""
    field = (spine or sources[0]).by
    assert field is not None  # noqa: S101 - each has one by now
    key = replace(field, is_required=True, key_position=1)
    is_common = spine or {each.by and each.by.name for each in sources} == {field.name}
    called = field.name if is_common else to_snake(name)
    return Column(name=called, how="as it is", source=spine, origin=key)


def state_columns(sources: Sequence[Source], spine: Source | None) -> Iterator[Column]:
    """What is said of each key, besides the key."""
    for source in sources:
        if source == spine or source.is_lone:
            for each in source.contract.fields:
                if each != source.by and not hides(each, source):
                    is_first = source == spine
                    field = replace(each, key_position=0, is_required=is_first and each.is_required)
                    name = called(each, source)
                    name = name if is_first else f"{source.table}_{name}"
                    yield Column(name=name, how="as it is", source=source, origin=field)
            continue
        counted = Field(name=source.table, type=COUNT, is_required=True)
        yield Column(name=f"count_{source.table}", how="count", source=source, origin=counted)
        if source.moment is not None and not hides(source.moment, source):
            newest = replace(source.moment, is_required=False, key_position=0)
            yield Column(name=f"last_{source.table}_at", how="newest", source=source, origin=newest)


def apart(
    sources: Sequence[Source],
    by: str | None,
    shared: Sequence[str],
    relations: Sequence[Contract],
) -> str:
    """Why inputs do not go together: which identifiers each has, and what links them."""
    have = "; ".join(
        f"{each.contract.id} has {listed(fields_by(each.contract)) or 'none'}" for each in sources
    )
    if len(sources) == 1:
        return (
            f"{have}: say one of them with --by" if shared else f"{have}: nothing to tell rows by"
        )
    if shared:
        return f"{by} is not in each of them: {have}; --by may be {listed(shared)}"
    links = "".join(
        f"; {each.id} links {each.relation.from_type} with {each.relation.to_type}: begin with it"
        " and one of them"
        for each in relations
        if each.relation and leads(each.relation, sources)
    )
    return f"no identifier is in each of them, of one type: {have}{links}"


def leads(relation: Relation, sources: Sequence[Source]) -> bool:
    """Whether a relation leads from an identifier of one input to one of another."""
    first, second = (
        {each.contract.id for each in sources if end in fields_by(each.contract)}
        for end in (relation.from_type, relation.to_type)
    )
    return len(first | second) > 1 and bool(first) and bool(second)
