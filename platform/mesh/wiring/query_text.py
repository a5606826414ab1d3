"""The text of a query with a product's names for what it reads: `calls` for `domain.product.calls`.

    ports_in(sql, {("sales", "shop", "orders"): contract})     # (contract,)
    renamed(sql, {"sales.shop.orders": "orders"})

DuckDB's own syntax tree says where a name stands, so that strings, comments and the query's own
parts stay as they are. Not here: what is made of it (`query_product`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mesh.contract.model import Contract
from mesh.contract.names import nearest
from mesh.errors import WrongUse
from mesh.product.event_lint import NotAQuery, cte_names, nodes, parse, tables_at
from mesh.product.new_sql import name_in_sql

__all__ = ["Names", "ports_in", "renamed", "tree_of"]

# Ports by domain, product and port, as they are called in SQL.
Names = Mapping[tuple[str, str, str], Contract]
MARTS = "marts"
PART = r'(?:"(?:[^"]|"")*"|\w+)'
# What a note at the head of another file says of an input.
NOTE = re.compile(r"(--\s*(?:key input|rows of):\s*)(\w+)")


def ports_in(sql: str, known: Names) -> tuple[Contract, ...]:
    """The ports that *sql* reads, in their order. Raises `WrongUse` for what is no port."""
    tree = tree_of(sql)
    found: dict[str, Contract] = {}
    for name, _ in sorted(tables_at(tree), key=lambda each: each[1]):
        parts = tuple(name.split("."))
        if len(parts) == 1 and name in cte_names(tree):
            continue
        if parts[0] == MARTS:
            raise WrongUse(f"it reads the mart {name}: read what the mart is made of")
        contract = known.get((parts[0], parts[1], parts[2])) if len(parts) == 3 else None
        if contract is None:
            near = nearest(name, (".".join(each) for each in known))
            hint = f"did you mean {near}?" if near else "write domain.product.port"
            raise WrongUse(f"it reads {name}, which is no port: {hint}")
        found[name] = contract
    if not found:
        raise WrongUse("it reads no port")
    return tuple(found.values())


def tree_of(sql: str) -> dict[str, object]:
    """DuckDB's syntax tree of *sql*. Raises `WrongUse` for a statement of which it has none."""
    try:
        return parse(sql)
    except NotAQuery as error:
        raise WrongUse(f"DuckDB does not say how it reads it: {error}") from error


def renamed(sql: str, names: Mapping[str, str]) -> str:
    """*sql* with other *names* of tables, each still called as it was in the rest of the query."""
    text, tree = sql, tree_of(sql)
    changes = dict(changed_tables(tree, names)) | dict(changed_columns(tree, names))
    # From the end, so that places before it stay where they are.
    for place, (old, new) in sorted(changes.items(), reverse=True):
        start = len(sql.encode()[:place].decode())
        pattern = r"\s*\.\s*".join([PART] * len(old))
        found = re.compile(pattern).match(text, start)
        if found is None or parts_of(found[0]) != old:
            raise WrongUse(f"write the name {'.'.join(old)} in one piece")
        text = text[:start] + new + text[found.end() :]
    return NOTE.sub(lambda note: note[1] + names.get(note[2].lower(), note[2]), text)


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name as it stands in SQL, in lower case."""
    found = re.findall(PART, name)
    plain = (each[1:-1].replace('""', '"') if each.startswith('"') else each for each in found)
    return tuple(each.lower() for each in plain)


Changes = Iterator[tuple[int, tuple[tuple[str, ...], str]]]


def changed_tables(tree: dict[str, object], names: Mapping[str, str]) -> Changes:
    """By its place: the old name of a table and what stands there instead."""
    used = {first_of(node) for node in nodes(tree)}
    aliased = {
        int(str(node["query_location"]))
        for node in nodes(tree)
        if node.get("type") == "BASE_TABLE" and node.get("alias")
    }
    for name, place in tables_at(tree):
        if name in names:
            old, new = tuple(name.split(".")), name_in_sql(names[name])
            is_called = names[name] != old[-1] and place not in aliased and old[-1] in used
            yield place, (old, f"{new} as {name_in_sql(old[-1])}" if is_called else new)


def first_of(node: dict[str, object]) -> str:
    """The table that an expression may name: before a column, before a star, or as a whole."""
    called = node.get("column_names")
    found = called[-2:][0] if isinstance(called, list) and called else node.get("relation_name")
    return str(found or "").lower()


def changed_columns(tree: dict[str, object], names: Mapping[str, str]) -> Changes:
    """By its place: a table's whole name before a column, and its last part."""
    wholes = [tuple(each.split(".")) for each in names if each.count(".") == 2]
    for node in nodes(tree):
        called = node.get("column_names")
        if node.get("class") != "COLUMN_REF" or not isinstance(called, list):
            continue
        parts = tuple(str(each).lower() for each in called)
        for whole in wholes:
            for old in (whole, whole[1:]):
                if parts[: len(old)] == old and len(parts) > len(old):
                    yield int(str(node["query_location"])), (old, name_in_sql(old[-1]))
