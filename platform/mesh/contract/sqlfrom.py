"""The FROM of a query: which tables it brings into scope, and what joins decide.

Not here: the rest of the query (`sqlsources`), for which it is a part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from mesh.contract.sqlrows import Fields, Rows, Scope, Unclear, nothing, union

if TYPE_CHECKING:
    from mesh.contract.sqlsources import Reader

__all__ = ["From"]

ONE_SIDED = ("SEMI", "ANTI")


class From:
    """Reads tables into *scope* with the reader of the query around them."""

    def __init__(self, reader: Reader, scope: Scope) -> None:
        self._reader, self._scope = reader, scope

    def read(self, node: exp.Select) -> Fields:
        """Bring the tables of *node* into scope; what decides which rows they give together."""
        decides: Fields = nothing
        if (first := node.args.get("from_")) is not None:
            decides |= self.add(first.this)
            decides |= self.joins(first.this)
        for lateral in node.args.get("laterals") or ():
            decides |= self.add(lateral)
        return decides | self.joins(node)

    def joins(self, node: exp.Expr) -> Fields:
        """The joins that hang on *node*."""
        return union(*[self.join(each) for each in node.args.get("joins") or ()])

    def add(self, node: exp.Expr) -> Fields:
        """Bring one table into scope; what decides its rows."""
        rows = self.rows(node)
        alias = node.alias_or_name.lower() if hasattr(node, "alias_or_name") else ""
        self._scope.tables.append((alias, rows))
        return rows.decides

    def join(self, node: exp.Join) -> Fields:
        """One join: both sides, and what of them is compared."""
        before = [rows for _, rows in self._scope.tables]
        decides = self.add(node.this)
        decides |= self.joins(node.this)
        names = [each.name.lower() for each in node.args.get("using") or ()]
        if node.method == "NATURAL":
            names += self.common(before)
        for name in names:
            decides |= self.merge(name, before)
        decides |= self._reader.sources(node.args.get("on"), self._scope)
        if node.kind in ONE_SIDED:
            self._scope.tables.pop()
        return decides

    def common(self, before: list[Rows]) -> list[str]:
        """The columns that a natural join compares."""
        new = self._scope.tables[-1][1]
        if new.is_open or any(each.is_open for each in before):
            raise Unclear("a natural join of columns that are not all known")
        return [name for name, _ in new.columns if any(each.has(name) for each in before)]

    def merge(self, name: str, before: list[Rows]) -> Fields:
        """A column that both sides have, and that is one in the result."""
        new = self._scope.tables[-1][1].column(name) or nothing
        old = union(*(each.column(name) or nothing for each in before))
        self._reader.compared(old, new)
        found = old | new
        self._scope.merged[name] = self._scope.merged.get(name, nothing) | found
        return self._scope.merged[name]

    def rows(self, node: exp.Expr) -> Rows:
        """What one part of FROM gives."""
        alias = node.args.get("alias")
        names = [each.name.lower() for each in alias.columns] if alias else []
        found = self.unnamed(node).named(names)
        if node.args.get("pivots"):
            made_of = found.everything | found.decides
            return Rows(columns=(), decides=made_of, other=made_of, is_open=True)
        if node.args.get("sample"):
            return found.deciding(found.everything)
        return found

    def unnamed(self, node: exp.Expr) -> Rows:
        """The same before its alias gives other names."""
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return self.table(node)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            return self._reader.query(node, self._scope)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            return self._reader.query(node.this, self._scope)
        if isinstance(node, (exp.Table, exp.Lateral, exp.Unnest, exp.Values)):
            # A function that gives rows, or rows written out: all of them of all its arguments.
            made_of = self._reader.children(node, self._scope)
            return Rows(columns=(), decides=made_of, other=made_of, is_open=True)
        raise Unclear(f"{type(node).__name__.lower()} in FROM is not understood")

    def table(self, node: exp.Table) -> Rows:
        """A CTE or an input."""
        found = self._reader.known.get(node.name.lower())
        if found is None or node.args.get("db"):
            raise Unclear(f"{node.sql(dialect='duckdb')} is no input port")
        return found
