"""Reads a query of DuckDB, and says of which input fields each of its columns is made.

    found = sources_of("select a + b as c from t where d > 0", {"t": rows})
    found.column("c")     # {("t", "a"), ("t", "b")}
    found.decides         # {("t", "d")}: whether there is a row at all

Nothing is run. The answer may name a field too many, and none too few; what this reader does not
know raises `Unclear`. Not here: which inputs a port has (`columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp

from mesh.contract.sqlcolumns import Columns
from mesh.contract.sqlfrom import From
from mesh.contract.sqlrows import Fields, Rows, Scope, Unclear, blended, nothing, union

__all__ = ["Reader", "sources_of"]

MOST_ROUNDS = 100
MOST_KEPT = 8192


def sources_of(sql: str, inputs: Mapping[str, Rows]) -> Rows:
    """What the query *sql* gives, of tables *inputs* by name. Raises `Unclear`."""
    found = read(sql, tuple(inputs.items()))
    if isinstance(found, str):
        raise Unclear(found)
    return found


@lru_cache(maxsize=MOST_KEPT)
def read(sql: str, inputs: tuple[tuple[str, Rows], ...]) -> Rows | str:
    """The same, or why not; kept, since a catalogue asks again whenever one of many changes."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        return Reader(dict(inputs)).query(tree, None, is_top=True)
    except sqlglot.errors.SqlglotError:
        return "sqlglot cannot read it"
    except RecursionError:
        return "it is nested too deeply"
    except Unclear as unclear:
        return str(unclear)


class Reader:
    """Walks one query; *known* are the tables and the CTEs that a name may mean."""

    def __init__(self, known: Mapping[str, Rows]) -> None:
        self.known = dict(known)

    def within(self) -> Reader:
        """A reader of what is inside, which may know more."""
        return Reader(self.known)

    def compared(self, left: Fields, right: Fields) -> None:
        """Two sides are compared; of no use for sources, and noted by other readers."""

    def query(self, node: exp.Expr, outer: Scope | None, *, is_top: bool = False) -> Rows:
        """What a query gives, its CTEs included."""
        inner = self.with_ctes(node, outer)
        if isinstance(node, exp.Subquery):
            rows = inner.query(node.this, outer)
        elif isinstance(node, exp.SetOperation):
            rows = inner.set_operation(node, outer)
        elif isinstance(node, exp.Select):
            return inner.select(node, outer, is_top=is_top)
        else:
            raise Unclear(f"{type(node).__name__.lower()} is no query that is understood")
        scope = Scope(outer=outer, tables=[("", rows)])
        return rows.deciding(inner.order_and_limit(node, scope, rows, is_top=is_top))

    def with_ctes(self, node: exp.Expr, outer: Scope | None) -> Reader:
        """A reader that knows the CTEs of *node* too."""
        found = node.args.get("with_")
        if found is None:
            return self
        inner = self.within()
        for cte in found.expressions:
            inner.known[cte.alias.lower()] = inner.cte(cte, outer, is_recursive=found.recursive)
        return inner

    def cte(self, cte: exp.CTE, outer: Scope | None, *, is_recursive: bool) -> Rows:
        """What a CTE gives; a recursive one, until another round adds nothing."""
        names = [each.name.lower() for each in cte.args["alias"].columns]
        if not is_recursive or not isinstance(cte.this, exp.SetOperation):
            return self.query(cte.this, outer).named(names)
        inner, name = self.within(), cte.alias.lower()
        inner.known[name] = inner.query(cte.this.this, outer).named(names)
        for _ in range(MOST_ROUNDS):
            again = inner.query(cte.this, outer).named(names)
            if again == inner.known[name]:
                return again
            inner.known[name] = again
        raise Unclear(f"{name} comes to no end")

    def set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Rows:
        """UNION, EXCEPT and INTERSECT."""
        parts = [self.query(node.this, outer), self.query(node.expression, outer)]
        is_bag = isinstance(node, exp.Union) and node.args.get("distinct") is False
        return blended(parts, is_by_name=bool(node.args.get("by_name")), is_set=not is_bag)

    def select(self, node: exp.Select, outer: Scope | None, *, is_top: bool = False) -> Rows:
        """One SELECT: its tables, what decides its rows, its columns."""
        scope = Scope(outer=outer)
        decides = From(self, scope).read(node)
        for window in node.args.get("windows") or ():
            scope.windows[window.this.name.lower()] = self.children(window, scope)
        rows = Columns(self, scope).read(node.expressions)
        decides |= rows.decides
        for part in ("where", "having", "qualify", "prewhere"):
            decides |= self.sources(node.args.get(part), scope)
        decides |= self.grouping(node, scope, rows)
        if (distinct := node.args.get("distinct")) is not None:
            on = distinct.args.get("on")
            decides |= self.sources(on, scope) | rows.everything
            decides |= self.sources(node.args.get("order"), scope)
        return rows.deciding(decides | self.order_and_limit(node, scope, rows, is_top=is_top))

    def grouping(self, node: exp.Select, scope: Scope, rows: Rows) -> Fields:
        """What GROUP BY says; an ordinal and ALL are columns of the SELECT."""
        group = node.args.get("group")
        if group is None:
            return nothing
        if group.args.get("all"):
            chosen = [each for each in node.expressions if each.find(exp.AggFunc) is None]
            return union(*(self.sources(each, scope) for each in chosen))
        return self.sources(group, scope) | ordinals(group, rows)

    def order_and_limit(self, node: exp.Expr, scope: Scope, rows: Rows, *, is_top: bool) -> Fields:
        """The order decides which rows there are under a LIMIT, and what a list of them is."""
        limits = [node.args.get(name) for name in ("limit", "offset", "fetch", "sample")]
        is_cut = any(each is not None for each in limits)
        found = union(*(self.sources(each, scope) for each in limits))
        found |= rows.everything if is_cut else nothing
        order = node.args.get("order")
        if order is None or (is_top and not is_cut):
            return found
        is_all = any(isinstance(each.this, exp.Var) for each in order.expressions)
        chosen = rows.everything if is_all else ordinals(order, rows)
        return found | chosen | self.sources(order, scope)

    def sources(self, node: object, scope: Scope) -> Fields:
        """Of which fields an expression is made."""
        if not isinstance(node, exp.Expr):
            return nothing
        if isinstance(node, exp.Query):
            rows = self.query(node, scope)
            return rows.everything | rows.decides
        if isinstance(node, exp.Column):
            return self.column(node, scope)
        if isinstance(node, exp.Star):
            # How many rows there are is what decides them, which is told apart.
            return nothing if isinstance(node.parent, exp.Count) else scope.everything()
        if isinstance(node, exp.Columns):
            return scope.everything()
        if isinstance(node, (exp.Lambda, exp.Comprehension)):
            return self.bound(node, scope)
        if isinstance(node, (exp.PropertyEQ, exp.Kwarg)):
            return self.sources(node.expression, scope)
        if isinstance(node, exp.PositionalColumn):
            raise Unclear("it names a column by its place")
        if isinstance(node, exp.Window) and node.alias:
            return self.children(node, scope) | window_of(node.alias.lower(), scope)
        return self.children(node, scope)

    def children(self, node: exp.Expr, scope: Scope) -> Fields:
        """Of which fields the parts of an expression are made."""
        return union(*(self.sources(each, scope) for each in node.iter_expressions()))

    def column(self, node: exp.Column, scope: Scope) -> Fields:
        """Of which fields a reference is made."""
        if isinstance(node.this, exp.Star):
            table = scope.table(node.table.lower())
            return table.everything if table else scope.resolve([node.table.lower()])
        return scope.resolve([each.name.lower() for each in node.parts])

    def bound(self, node: exp.Expr, scope: Scope) -> Fields:
        """A lambda or a comprehension: its own names stand for parts of the list beside it."""
        names = node.expressions if isinstance(node, exp.Lambda) else [node.expression]
        names += [node.args["position"]] if node.args.get("position") else []
        inner = Scope(outer=scope, aliases={each.name.lower(): nothing for each in names})
        return self.children(node, inner)


def ordinals(node: exp.Expr, rows: Rows) -> Fields:
    """The columns that numbers in GROUP BY or ORDER BY mean."""
    found: Fields = nothing
    for each in node.expressions:
        inner = each.this if isinstance(each, exp.Ordered) else each
        if not isinstance(inner, exp.Literal):
            continue
        place = int(inner.name) - 1 if inner.is_int else len(rows.columns)
        is_known = not rows.is_open and place < len(rows.columns)
        found |= rows.columns[place][1] if is_known else rows.everything
    return found


def window_of(name: str, scope: Scope) -> Fields:
    """What a named window is made of, of here or outside."""
    if name in scope.windows:
        return scope.windows[name]
    if scope.outer is None:
        raise Unclear(f"the window {name} is not known")
    return window_of(name, scope.outer)
