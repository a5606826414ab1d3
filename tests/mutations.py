"""Small wrong edits of SQL, as a person makes them: each one place of one job of a warehouse.

Not here: what comes of them (`test_parity_ledger`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp

from mesh.migrate.jobs import Job

__all__ = ["mutations"]

SWAPPED: dict[type[exp.Expr], tuple[type[exp.Expr], ...]] = {
    exp.EQ: (exp.NEQ,),
    exp.LT: (exp.LTE, exp.GT),
    exp.LTE: (exp.LT, exp.GT),
    exp.GT: (exp.GTE, exp.LT),
    exp.Add: (exp.Sub,),
    exp.Sub: (exp.Add,),
    exp.Sum: (exp.Max, exp.Min),
    exp.Avg: (exp.Max, exp.Min),
}


def mutations(jobs: Sequence[Job]) -> Iterator[tuple[str, Job]]:
    """Every edit of every job: what is done, and the job as it is then."""
    for job in jobs:
        trees = [each for each in sqlglot.parse(job.sql, dialect="duckdb") if each is not None]
        for number, tree in enumerate(trees):
            places = list(tree.walk())
            for place, node in enumerate(places):
                for what in edits(node):
                    copies = [each.copy() for each in trees]
                    edit(list(copies[number].walk())[place], what)
                    sql = text(copies)
                    if sql != text(trees):
                        yield f"{job.name}: {what} in {node.sql('duckdb')}", replace(job, sql=sql)


def text(trees: Sequence[exp.Expr]) -> str:
    """Statements as text."""
    return ";\n".join(each.sql(dialect="duckdb") for each in trees)


def edits(node: exp.Expr) -> Iterator[str]:
    """What may be done to a place."""
    for other in SWAPPED.get(type(node), ()):
        yield other.__name__
    if isinstance(node, exp.And):
        yield from ("left", "right")
    if isinstance(node, exp.Literal):
        yield "value"
    if isinstance(node, exp.Where):
        yield "where"
    if isinstance(node, exp.Not):
        yield "not"
    if isinstance(node, exp.Join) and node.side == "LEFT":
        yield "inner"
    if isinstance(node, exp.Ordered):
        yield "order"
    if isinstance(node, exp.Coalesce):
        yield "first"


def edit(node: exp.Expr, what: str) -> None:
    """Do it."""
    if what in ("left", "right"):
        node.replace(node.args["expression" if what == "left" else "this"])
    elif what == "value":
        node.replace(changed(node))
    elif what == "where":
        node.pop()
    elif what in ("not", "first"):
        node.replace(node.this)
    elif what == "inner":
        node.set("side", None)
    elif what == "order":
        node.set("desc", not node.args.get("desc"))
    else:
        kind = getattr(exp, what)
        node.replace(kind(**{name: value.copy() for name, value in node.args.items() if value}))


def changed(node: exp.Expr) -> exp.Expr:
    """Another value of the same kind."""
    if not node.args.get("is_string"):
        return exp.Literal.number(int(node.this) + 1)
    is_number = str(node.this).isdigit()
    return exp.Literal.string(str(int(node.this) + 1) if is_number else f"{node.this}x")
