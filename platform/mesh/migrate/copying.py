"""Of which column of a table a query's column is a copy, however deep in it that stands.

Not here: of what those that are no copies are made (`mesh.contract.sqlsources`).
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from mesh.migrate.jobs import named

__all__ = ["copied_from"]


def copied_from(
    query: exp.Expr,
    name: str,
    tables: Mapping[str, tuple[str, ...]],
    outer: Mapping[str, exp.Expr] | None = None,
) -> tuple[str, str] | None:
    """Table and column whose values the column *name* of *query* has, as they are; else None.

    *tables* have their columns by name, *outer* are the common table expressions around it.
    """
    query = query.unnest() if isinstance(query, exp.Subquery) else query
    if not isinstance(query, exp.Select):
        return None
    ctes = {**(outer or {}), **{each.alias: each.this for each in query.ctes}}
    column = chosen(query, name)
    if column is None:
        return None
    for source in sources_of(query, column):
        if isinstance(source, exp.Subquery):
            return copied_from(source, column.name, tables, ctes)
        if isinstance(source, exp.Table) and not source.db and source.name in ctes:
            return copied_from(ctes[source.name], column.name, tables, ctes)
        if isinstance(source, exp.Table) and column.name in tables.get(named(source), ()):
            return named(source), column.name
    return None


def chosen(query: exp.Select, name: str) -> exp.Column | None:
    """The column that *query* gives by this name as it is, by a star too."""
    for each in query.expressions:
        inner = each.unalias()
        if each.alias_or_name == name and not isinstance(inner, exp.Star):
            is_column = isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star)
            return inner if is_column else None
    stars = [each for each in query.expressions if each.is_star]
    if len(stars) != 1:
        return None
    star = stars[0].this if isinstance(stars[0], exp.Column) else stars[0]
    changed = [
        part for key in ("except_", "replace", "rename") for part in star.args.get(key) or ()
    ]
    is_plain = all(name not in (each.alias_or_name, each.name) for each in changed)
    table = stars[0].table if isinstance(stars[0], exp.Column) else None
    return exp.column(name, table) if is_plain else None


def sources_of(query: exp.Select, column: exp.Column) -> list[exp.Expr]:
    """The tables and queries of FROM that a reference may mean."""
    first = query.args.get("from_")
    joined = [each.this for each in query.args.get("joins") or ()]
    found = [*([first.this] if first is not None else []), *joined]
    if column.table:
        return [each for each in found if each.alias_or_name == column.table]
    return found
