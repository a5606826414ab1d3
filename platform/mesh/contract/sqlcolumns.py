"""The columns of a SELECT: `*` and what is left out of it, structs unfolded, expressions.

Not here: the rest of the query (`sqlsources`), for which it is a part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from mesh.contract.sqlrows import Fields, Rows, Scope, nothing, union

if TYPE_CHECKING:
    from mesh.contract.sqlsources import Reader

__all__ = ["Columns"]

# Of these the struct is one that came in, so each of its fields is made as it was.
CHOOSING = (exp.ArgMax, exp.ArgMin, exp.AnyValue, exp.First, exp.Last, exp.Filter)
Named = tuple[str, Fields]


class Columns:
    """Reads the list of a SELECT with the reader of the query around it."""

    def __init__(self, reader: Reader, scope: Scope) -> None:
        self._reader, self._scope = reader, scope
        self._found: list[Named] = []
        self._other: Fields | None = None
        self._is_open = False
        self._decides: Fields = nothing

    def read(self, expressions: list[exp.Expr]) -> Rows:
        """All columns in order; each may name those before it."""
        for each in expressions:
            self.add(each)
        seen: set[str] = set()
        for name, made_of in self._found:
            if name in seen:
                self.guess(made_of)  # the second `a` is called `a_1` further out
            seen.add(name)
        return Rows(
            columns=tuple(self._found),
            decides=self._decides,
            other=self._other,
            is_open=self._is_open,
        )

    def add(self, node: exp.Expr) -> None:
        """One expression, which may be several columns."""
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, exp.Star):
            self.star(inner, [rows for _, rows in self._scope.tables], is_all=True)
        elif isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
            table = self._scope.table(inner.table.lower())
            if table is None:
                self.several(self._reader.sources(inner, self._scope))
            else:
                self.star(inner.this, [table], is_all=False)
        elif isinstance(inner, exp.Explode):
            self.unfold(inner, node.alias if node is not inner else "")
        elif is_several(inner):
            self.several(self._reader.sources(inner, self._scope))
            self._decides |= self._other or nothing
        else:
            self.one(node.alias_or_name.lower(), self._reader.sources(inner, self._scope))

    def one(self, name: str, made_of: Fields) -> None:
        """A column; one without a name of its own is called by its text further out."""
        self._found.append((name, made_of))
        if name:
            self._scope.aliases[name] = self._scope.aliases.get(name, nothing) | made_of
        else:
            self.guess(made_of)

    def several(self, made_of: Fields) -> None:
        """Columns whose names and number are not known."""
        self.guess(made_of)
        self._is_open = True

    def guess(self, made_of: Fields) -> None:
        """A column by some name is made of these."""
        self._other = (self._other or nothing) | made_of

    def star(self, node: exp.Star, tables: list[Rows], *, is_all: bool) -> None:
        """`*`, without what is excluded, with what is replaced, and by other names."""
        left_out = {each.name.lower() for each in node.args.get("except_") or ()}
        new_names = {
            each.this.name.lower(): each.alias.lower() for each in node.args.get("rename") or ()
        }
        replaced = {
            each.alias.lower(): self._reader.sources(each.this, self._scope)
            for each in node.args.get("replace") or ()
        }
        merged = self._scope.merged if is_all else {}
        seen: set[str] = set()
        for rows in tables:
            for name, made_of in rows.columns:
                if name in left_out or (name in merged and name in seen):
                    continue
                seen.add(name)
                made = replaced.get(name, merged.get(name, made_of))
                self._found.append((new_names.get(name, name), made))
            if rows.other is not None:
                self.guess(union(rows.other, *replaced.values()))
            self._is_open |= rows.is_open

    def unfold(self, node: exp.Explode, alias: str) -> None:
        """`unnest`: of a struct that is written out its fields, of anything else what is in it."""
        fields = None if node.expressions else self.struct(node.this)
        if fields is not None:
            for name, made_of in fields:
                self.one(name, made_of)
            return
        made_of = self._reader.children(node, self._scope)
        self._decides |= made_of
        if alias:
            self.one(alias.lower(), made_of)
        self.several(made_of)

    def struct(self, node: exp.Expr) -> list[Named] | None:
        """The fields of a struct that is written out, or chosen among such by an aggregate."""
        if isinstance(node, CHOOSING):
            fields = self.struct(node.this)
            rest = [each for each in node.iter_expressions() if each is not node.this]
            more = union(*(self._reader.sources(each, self._scope) for each in rest))
            return None if fields is None else [(name, made | more) for name, made in fields]
        if not isinstance(node, exp.Struct):
            return None
        names = [each.name.lower() for each in node.expressions]
        if not all(isinstance(each, (exp.Column, exp.PropertyEQ)) for each in node.expressions):
            return None
        made = [self._reader.sources(each, self._scope) for each in node.expressions]
        return list(zip(names, made, strict=True))


def is_several(node: exp.Expr) -> bool:
    """Whether an expression stands for several columns or rows: it holds a `*`, or `unnest`."""
    return any(
        isinstance(each, (exp.Columns, exp.Explode))
        or (isinstance(each, exp.Star) and not isinstance(each.parent, exp.Count))
        for each in node.walk()
    )
