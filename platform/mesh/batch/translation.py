"""The SQL of a state port as Spark reads it: the same statement, said in Spark's words.

    text = to_spark(sql)

sqlglot does it, but for what the two engines say in ways that it does not know (`REWRITINGS`).
Not here: running it (`spark`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlglot
from sqlglot import exp

from mesh.errors import MeshError

__all__ = ["to_spark"]

# Spark has no infinite instants; these are the first and the last that it can hold, which no
# instant of a contract is.
INSTANTS = {"-infinity": -(2**63), "infinity": 2**63 - 1}
COMPARISONS = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.EQ, exp.NEQ)
# Of a record that a projection takes apart.
PACKED = "_packed"


def to_spark(sql: str) -> str:
    """*sql*, which DuckDB understands, for Spark. Raises `MeshError` where it cannot be said."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        for rewrite in REWRITINGS:
            tree = rewrite(tree)
        return tree.sql(
            dialect="spark", pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False
        )
    except sqlglot.errors.SqlglotError as error:
        text = " ".join(str(error).split())
        raise MeshError(f"this SQL cannot be said in Spark's: {text[:400]}") from error


def without_infinity(tree: exp.Expr) -> exp.Expr:
    """Infinite instants, which DuckDB has as text, as instants that are beyond all others."""

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Literal) and node.is_string and node.this in INSTANTS:
            return sqlglot.parse_one(f"timestamp_micros({INSTANTS[node.this]})", read="spark")
        return node

    return tree.transform(replaced)


def with_equal_names(tree: exp.Expr) -> exp.Expr:
    """Compared tuples as records whose fields are called the same, as Spark wants them."""
    for each in tree.find_all(exp.Tuple):
        if isinstance(each.parent, COMPARISONS):
            parts = [
                part
                for place, value in enumerate(each.expressions)
                for part in (exp.Literal.string(f"_{place}"), value.copy())
            ]
            each.replace(exp.func("named_struct", *parts))
    return tree


def unpacked(tree: exp.Expr) -> exp.Expr:
    """Records that DuckDB takes apart with `unnest`, taken apart around the query, by `.*`."""
    # From within, since what is around one is copied.
    for select in reversed([*tree.find_all(exp.Select)]):
        places = [n for n, each in enumerate(select.expressions) if is_unnest(each)]
        if places:
            new = taken_apart(select, places)
            tree = new if select is tree else tree
            select.replace(new)
    return tree


def is_unnest(node: exp.Expr) -> bool:
    """Whether a column is a record, to be taken apart; a list that becomes rows has a name."""
    return isinstance(node, exp.Explode)


def taken_apart(select: exp.Select, places: Sequence[int]) -> exp.Select:
    """*select* as the source of another, which takes the records in *places* apart."""
    inner, outer = select.copy(), []
    for number, each in enumerate(inner.expressions):
        name = exp.to_identifier(f"{PACKED}{number}", quoted=True)
        if number in places:
            each.replace(exp.alias_(each.this.copy(), name))
            outer.append(exp.Column(this=exp.Star(), table=name.copy()))
        elif each.is_star:
            raise sqlglot.errors.UnsupportedError("unnest of a record beside *: name the columns")
        else:
            outer.append(exp.column(each.alias_or_name, quoted=True))
    source = inner.subquery(exp.to_identifier(PACKED, quoted=True))
    return exp.select(*outer).from_(source)


REWRITINGS: tuple[Callable[[exp.Expr], exp.Expr], ...] = (
    without_infinity,
    with_equal_names,
    unpacked,
)
