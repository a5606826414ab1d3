"""The README of a new product: its promise, three things to ask it, and what was left out.

Not here: the other files (`new_files`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mesh.product.new_shape import New, Shape
from mesh.product.new_sql import name_in_sql

__all__ = ["questions", "readme"]


def readme(new: New, hints: Iterable[str]) -> str:
    """What a person reads first; *hints* are what its owner should look at."""
    name, shape = new.name, new.shape
    asked = "".join(
        f"\n{question}\n\n```sql\n{sql}\n```\n" for question, sql in questions(name, shape)
    )
    inputs = "".join(
        f"| input `{each.name}` | {each.contract.kind} | `{each.contract.id}` |\n"
        for each in shape.sources
    )
    left = "".join(
        f"- `{field.name}` of `{source.name}`"
        f"{', which is personal' if field.is_personal else ', which masked ports do not show'}\n"
        for source, field in shape.left_out
    )
    kept = [f"`{c.name}`" for c in shape.columns if c.origin.is_personal and c.how == "as it is"]
    return (
        f"# {new.title}\n\nOwner: <{new.owner}>.\n\n## Promise\n\n{new.grain}\n"
        "The contract is a draft: it becomes a promise when its owner writes `status: active`.\n\n"
        f"## Three things you can ask it\n{asked}\n"
        f"## Ports\n\n| port | kind | contract |\n|---|---|---|\n{inputs}"
        f"| output `{new.port}` | {shape.kind} | `contracts/{name}.odcs.yaml` |\n\n"
        "## Personal data\n\n"
        + (f"Carried and marked as personal: {', '.join(kept)}.\n" if kept else "None.\n")
        + (f"Left out:\n\n{left}" if left else "")
        + "\n## Before others read it\n\n"
        + "".join(f"- {each}\n" for each in hints)
    )


def questions(name: str, shape: Shape) -> Iterator[tuple[str, str]]:
    """Three questions, each with its SQL over the table *name*."""
    table, key = name_in_sql(name), name_in_sql(shape.columns[0].name)
    counts = [each.name for each in shape.columns if each.how == "count"]
    newest = [each.name for each in shape.columns if each.how == "newest"]
    found = [("How many rows are there?", f"select count(*) as count_rows\nfrom {table}")]
    for each in counts:
        sql = f"select {key}, {each}\nfrom {table}\norder by {each} desc, {key}\nlimit 10"
        found.append((f"Which have most rows of `{each.removeprefix('count_')}`?", sql))
    for each in newest:
        sql = f"select {key}, {each}\nfrom {table}\norder by {each} nulls first, {key}\nlimit 10"
        found.append((f"Of which is `{each}` longest ago?", sql))
    for column in shape.columns[1:]:
        if not column.origin.type.is_nested:
            each = name_in_sql(column.name)
            sql = f"select {each}, count(*) as count_rows\nfrom {table}\ngroup by {each}"
            found.append((f"How many rows are there by `{column.name}`?", sql))
    found.append(("Which are the first ten?", f"select *\nfrom {table}\norder by {key}\nlimit 10"))
    found.append(("Which is the last?", f"select max({key}) as {key}\nfrom {table}"))
    yield from found[:3]
