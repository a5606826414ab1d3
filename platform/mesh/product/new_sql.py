"""The SQL of a new product's port, and its keys file: a start that runs, for its owner to go on.

Not here: what the port has (`new_shaping`), the other files (`new_files`).
"""

from __future__ import annotations

from functools import cache

import duckdb

from mesh.product.new_shape import Column, Shape, Source

__all__ = ["keys_sql", "name_in_sql", "port_sql"]

GO_ON_EVENT = """\
-- One row per row of {table}.
-- Go on here: filter with `where`, compute with expressions. Each row is mapped by itself; what
-- counts, joins or compares rows is a state port.
"""
GO_ON = """\
-- One row per {key}{of}.
-- Go on here: filter, sum and join in the parts; a new column goes to the contract too, and a new
-- way in which an input changes a row to the keys file.
"""


@cache
def keywords() -> frozenset[str]:
    """The words that DuckDB's parser knows."""
    with duckdb.connect() as connection:
        rows = connection.execute("select keyword_name from duckdb_keywords()").fetchall()
    # These break its parser and are not on its list.
    return frozenset({"at", "asof", "last"} | {name for (name,) in rows})


def name_in_sql(name: str) -> str:
    """A name as it stands in SQL that people read: quoted where it must be."""
    return f'"{name}"' if name in keywords() else name


def port_sql(shape: Shape) -> str:
    """The query of the port."""
    key = shape.columns[0].name
    if shape.kind == "event":
        source = shape.sources[0]
        columns = ["_cause", *(renamed(each) for each in shape.columns)]
        head = GO_ON_EVENT.format(table=source.table)
        return f"{head}{selected(columns)}\nfrom new_{source.table}\n"
    of = f" of {shape.spine.table}" if shape.spine else ""
    head = GO_ON.format(key=key, of=of)
    if shape.spine is None and len(shape.sources) == 1:
        return f"{head}{grouped(shape, shape.sources[0])}\n"
    parts = [
        f"counted_{each.table} as (\n{indented(grouped(shape, each))}\n)" for each in shape.counted
    ]
    first = "known"
    if shape.spine is None:
        parts.append(f"-- Whatever any of them has.\nknown as (\n{indented(known(shape))}\n)")
    else:
        first = name_in_sql(shape.spine.table)
    withs = "with\n\n" + ",\n\n".join(parts) + "\n\n" if parts else ""
    columns = [read(shape, each) for each in shape.columns]
    joins = "".join(f"\n{each}" for each in joins_of(shape, first))
    return f"{head}{withs}{selected(columns)}\nfrom {first}{joins}\n"


def selected(columns: list[str]) -> str:
    """A list of what is selected."""
    return "select\n    " + ",\n    ".join(columns)


def indented(text: str) -> str:
    """*text*, a step further in."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def renamed(column: Column) -> str:
    """A column of an event port."""
    origin, name = name_in_sql(column.origin.name), name_in_sql(column.name)
    return origin if origin == name else f"{origin} as {name}"


def grouped(shape: Shape, source: Source) -> str:
    """How many rows of *source* have each key, and the newest moment of them."""
    assert source.by is not None  # noqa: S101 - a state port's inputs have one
    by, key = name_in_sql(source.by.name), name_in_sql(shape.columns[0].name)
    columns = [by if by == key else f"{by} as {key}"]
    for each in shape.columns:
        if each.source == source and each.how == "count":
            columns.append(f"count(*) as {each.name}")
        if each.source == source and each.how == "newest":
            columns.append(f"max({name_in_sql(each.origin.name)}) as {each.name}")
    # An empty one is nobody's.
    given = "" if source.by.is_required else f"\nwhere {by} is not null"
    return f"{selected(columns)}\nfrom {name_in_sql(source.table)}{given}\ngroup by {by}"


def known(shape: Shape) -> str:
    """Every value of the key."""
    key = name_in_sql(shape.columns[0].name)
    return "\nunion\n".join(f"select {key} from counted_{each.table}" for each in shape.counted)


def read(shape: Shape, column: Column) -> str:
    """A column of the result."""
    name = name_in_sql(column.name)
    if column.source is None:
        return f"known.{name}"
    if column.how != "as it is":
        place = f"counted_{column.source.table}.{name}"
        return f"coalesce({place}, 0) as {name}" if column.how == "count" else place
    origin = name_in_sql(column.origin.name)
    place = f"{name_in_sql(column.source.table)}.{origin}"
    return place if origin == name else f"{place} as {name}"


def joins_of(shape: Shape, first: str) -> list[str]:
    """The joins of all inputs but the *first* one, in their order."""
    key = f"{first}.{name_in_sql(shape.columns[0].name)}"
    joins = []
    for each in shape.sources:
        if each in shape.counted:
            place = f"counted_{each.table}"
            joins.append(f"left join {place}\n    on {place}.{key.partition('.')[2]} = {key}")
        elif each != shape.spine and each.by is not None:
            place = name_in_sql(each.table)
            joins.append(f"left join {place}\n    on {place}.{name_in_sql(each.by.name)} = {key}")
    return joins


def keys_sql(shape: Shape) -> str:
    """The keys file: each value that a changed row of any input has or had."""
    key_input = f"-- key input: {shape.spine.table}\n" if shape.spine else ""
    head = (
        f"{key_input}-- A row changes with the rows of each input that have its key, or had it.\n"
    )
    selects = [
        f"select {name_in_sql(each.by.name)} from changed_{each.table}"
        for each in shape.sources
        if each.by is not None
    ]
    return head + "\nunion all\n".join(selects) + "\n"
