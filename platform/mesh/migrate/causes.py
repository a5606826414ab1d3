"""Causes for which a warehouse and the mesh may differ: SQL that imitates each, by a view.

    causes = load_causes(folder)
    imitated(query, causes[:2])

A cause's file has `create view NAME as select …` for each table or step (CTE) of a query that it
changes, `NAME` within it being what was before. Not here: which cause explains a row (`ledger`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlglot
from sqlglot import exp

from mesh.contract.faults import Fault
from mesh.contract.names import to_snake
from mesh.contract.yamlfile import parse_yaml
from mesh.errors import InvalidFile
from mesh.migrate.jobs import named

__all__ = ["EVIDENCE", "Cause", "imitated", "load_causes", "tables_of"]

EVIDENCE = "evidence.sql"
FOLDER = "causes"
WHOSE = ("warehouse", "sources", "mesh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause. *whose* it is: the warehouse's, the sources' or the mesh's.

    *evidence* is a query that says whether it can apply at all, and *needs* a step without which
    it does not.
    """

    name: str
    place: int
    whose: str
    about: str
    needs: str
    evidence: str = field(repr=False)
    sql: str = field(repr=False)
    views: Mapping[str, exp.Expr] = field(repr=False, compare=False)

    @property
    def is_ours(self) -> bool:
        """Whether it blames the mesh."""
        return self.whose == "mesh"

    @property
    def variable(self) -> str:
        """The variable that tells SQL whether the cause is imitated."""
        return to_snake(self.name)

    def touches(self, query: exp.Expr) -> bool:
        """Whether it changes anything that *query* reads."""
        steps = {each.alias for each in query.find_all(exp.CTE)}
        if self.needs and self.needs not in steps:
            return False
        return not steps.union(tables_of([query])).isdisjoint(self.views)


def load_causes(folder: Path) -> tuple[Cause, ...]:
    """The causes of the warehouse in *folder*, in the order in which they act on each other.

    Raises `InvalidFile`.
    """
    paths = (each for each in sorted((folder / FOLDER).glob("*.sql")) if each.name != EVIDENCE)
    return tuple(sorted(map(read_cause, paths), key=lambda each: each.place))


def read_cause(path: Path) -> Cause:
    """One cause: a comment with YAML, and views. Raises `InvalidFile`."""
    try:
        head, _, sql = path.read_text("utf-8").removeprefix("/*").partition("*/")
        trees = [each for each in sqlglot.parse(sql, dialect="duckdb") if each is not None]
    except (OSError, ValueError, sqlglot.errors.SqlglotError) as error:
        raise invalid(path, f"it cannot be read: {str(error).splitlines()[0]}") from error
    root = parse_yaml(head.encode(), path).root
    views = {
        named(each.this): each.expression
        for each in trees
        if isinstance(each, exp.Create) and each.kind == "VIEW"
    }
    place = root["place"].value
    if not views or root["name"].text != path.stem or root["whose"].text not in WHOSE:
        raise invalid(path, f"a cause has its `name`, `whose` ({', '.join(WHOSE)}) and views")
    return Cause(
        name=path.stem,
        place=place if isinstance(place, int) else 0,
        whose=root["whose"].text,
        about=" ".join(root["about"].text.split()),
        needs=root["needs"].text,
        evidence=root["evidence"].text,
        sql=sql.strip(),
        views=views,
    )


def imitated(query: exp.Expr, causes: Sequence[Cause]) -> str:
    """*query* as it answers where all *causes* act, in their order, each on what those before left.

    A view of a step reads tables, and steps that stand before it.
    """
    tree = query.copy()
    clause = tree.args.get("with_")
    steps = {each.alias: each.this for each in clause.expressions} if clause else {}
    tables = dict.fromkeys(name for each in causes for name in each.views if "." in name)
    found: dict[str, exp.Expr] = {}
    for name in tables:
        layers = views_of(name, causes)
        # The lowest reads the table itself.
        found |= stacked(name, label(name), layers)
    for name, body in steps.items():
        layers = [body, *views_of(name, causes)]
        for each in layers:
            refer(each, {table: label(table) for table in tables})
        found |= stacked(name, name, layers)
    refer(tree, {table: label(table) for table in tables})
    parts = [
        exp.CTE(this=body, alias=exp.TableAlias(this=exp.to_identifier(name)))
        for name, body in found.items()
    ]
    tree.set("with_", exp.With(expressions=parts) if parts else None)
    return tree.sql(dialect="duckdb")


def views_of(name: str, causes: Iterable[Cause]) -> list[exp.Expr]:
    """What each cause makes of a table or a step, in their order."""
    return [each.views[name].copy() for each in causes if name in each.views]


def stacked(name: str, last: str, layers: Sequence[exp.Expr]) -> dict[str, exp.Expr]:
    """Layers by name, each reading the one below in place of *name*; the top one is *last*."""
    found: dict[str, exp.Expr] = {}
    below = name
    for number, body in enumerate(layers, 1):
        refer(body, {name: below})
        below = last if number == len(layers) else f"{last}__{number}"
        found[below] = body
    return found


def refer(tree: exp.Expr, names: Mapping[str, str]) -> None:
    """Have *tree* read others in place of tables, under the names that it knows them by."""
    for each in list(tree.find_all(exp.Table)):
        new = names.get(named(each))
        if new is not None and new != named(each):
            each.replace(exp.to_table(new, alias=each.alias_or_name, dialect="duckdb"))


def tables_of(queries: Iterable[exp.Expr]) -> tuple[str, ...]:
    """The tables that queries read, by name, but those that are steps of theirs."""
    found = (each for query in queries for each in query.find_all(exp.Table))
    return tuple(dict.fromkeys(name for name in map(named, found) if "." in name))


def label(table: str) -> str:
    """A name without dots for a table."""
    return table.replace(".", "__")


def invalid(path: Path, problem: str) -> InvalidFile:
    """The error for a cause's file."""
    remedy = "see the causes beside it"
    return InvalidFile([Fault(path=path, line=0, problem=problem, remedy=remedy, rule="causes")])
