"""The page of a query as data: the text, the answer, what it is true for, the same as a command.

Not here: who answers (`sql_routes`), HTML (templates).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.product.duck import quoted

__all__ = ["Asked", "asked_document", "command_of", "editor_document", "with_name"]

# As many rows as a person looks at; the command gives all.
MOST_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was sent from the page: a text, by whom, and which button."""

    principal: str
    sql: str
    act: str

    @property
    def is_plan(self) -> bool:
        """Whether the plan alone is wanted."""
        return self.act == "explain"


def editor_document(principal: str, sql: str) -> dict[str, object]:
    """The page before anything was asked."""
    return {
        "principal": principal,
        "sql": sql,
        "tables": [],
        "result": None,
        "plan": None,
        "command": None,
        "done": None,
        "detail": None,
    }


def asked_document(
    asked: Asked, answer: Mapping[str, Any], said: Mapping[str, str]
) -> dict[str, object]:
    """What an answer adds to the page, be it rows or a plan."""
    command = command_of(asked)
    if asked.is_plan:
        plan = "\n".join(str(row[-1]) for row in answer["rows"])
        return {"plan": plan, "command": command}
    rows = answer["rows"]
    result = {
        "columns": answer["columns"],
        "rows": rows[:MOST_ROWS],
        "count": len(rows),
        "offsets": answer["offsets"],
        "cache": said.get("Mesh-Cache", ""),
        "age_s": int(said.get("Age", "0")),
    }
    return {"result": result, "command": command}


def command_of(asked: Asked) -> str | None:
    """The same as a command; none for a text that a terminal would not take as it is."""
    if not all(each.isprintable() or each in "\n\t" for each in asked.sql):
        return None
    # A text that begins with a comment would be taken for an option.
    dashes = "-- " if asked.sql.startswith("-") else ""
    options = f"--as {shlex.quote(asked.principal)}" + (" --explain" if asked.is_plan else "")
    return f"mesh sql {options} {dashes}{shlex.quote(asked.sql)}"


def with_name(sql: str, table: str, name: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """*sql* with a table or its column behind it; of a table alone, a query to begin with."""
    if name:
        return f"{sql} {quoted(name)}".strip()
    known = {each["name"]: each["columns"] for each in tables}
    if sql or table not in known:
        return f"{sql} {table}".strip()
    names = ", ".join(quoted(each["name"]) for each in known[table])
    return f"select {names}\nfrom {table}\nlimit 100"
