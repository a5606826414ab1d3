"""The judgement of rows: whether they fit the contract's types, and keep its rules.

Both answer with violations, never with an exception: one bad row must not stop the next.

    fitted = fit(table, contract)                       # types and required
    connection.register("rows", fitted.table.append_column("_row", …))
    broken = check(connection, "rows", contract)        # everything else
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mesh.errors import MeshError

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh.contract.model import Contract, Rule

__all__ = ["Executor", "Fitted", "Violation", "check", "fit", "quoted"]

_LONGEST_QUOTE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One promise that row number *row* breaks; *reason* quotes no personal value."""

    row: int
    field: str | None
    rule: str
    reason: str


class Executor(Protocol):
    """What runs a statement: a DuckDB connection, or what stands for one."""

    def execute(self, query: str, /) -> Any:
        """Run *query*; what has `fetchall`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A table in the contract's types. *good* are the given row numbers of its rows."""

    table: pa.Table
    good: Sequence[int]
    violations: list[Violation]


def fit(table: pa.Table, contract: Contract) -> Fitted:
    """Cast *table* to the contract's types; rows with a value that does not fit are left out.

    Their violations have the rule `type` or `required`.
    Raises `MeshError` where a column is missing, unknown, or of a type that cannot be meant.
    """
    from mesh.contract.fitting import fit_table

    return fit_table(table, contract)


def check(connection: Executor, relation: str, contract: Contract) -> list[Violation]:
    """Return what the rows of *relation* (numbered by its column `_row`) break of the rules.

    A rule that is null for a row is kept; one that cannot be computed for it is broken.
    Raises `MeshError` where a rule is not valid SQL over the contract's columns.
    """
    import duckdb

    if not contract.rules:
        return []
    try:
        if not connection.execute(_count_broken(relation, contract)).fetchall()[0][0]:
            return []
        rows = connection.execute(_query(relation, contract)).fetchall()
    except duckdb.Error as error:
        raise MeshError(
            f"the rules of {contract.id} cannot be computed: {str(error).splitlines()[0]}"
        ) from error
    return [
        _violation(rule, int(row), verdicts[2 * number], verdicts[2 * number + 1])
        for row, *verdicts in rows
        for number, rule in enumerate(contract.rules)
        if verdicts[2 * number] is not True
    ]


def quoted(value: str) -> str:
    """Return *value* for a reason: on one line, shortened to about 40 characters."""
    if len(value) > _LONGEST_QUOTE:
        value = value[: _LONGEST_QUOTE - 1] + "…"
    return repr(value)


def _count_broken(relation: str, contract: Contract) -> str:
    """How many rows break any rule: nearly always none, and then nothing else is asked."""
    kept = " and ".join(map(_kept, contract.rules))
    return f'select count(*) from "{relation}" where try({kept}) is distinct from true'


def _kept(rule: Rule) -> str:
    # A rule that is unknown is kept. The line feed ends a comment that it may end with.
    return f"coalesce(({rule.expression}\n), true)"


def _query(relation: str, contract: Contract) -> str:
    # `coalesce` inside `try` tells the two nulls apart: of a rule that raises it is null.
    kept = [f"try({_kept(rule)})" for rule in contract.rules]
    public = {f.name for f in contract.fields if not f.is_personal}
    columns = ['"_row"']
    for test, rule in zip(kept, contract.rules, strict=True):
        columns += [test, _quote_column(rule.field) if rule.field in public else "null"]
    broken = " or ".join(f"{test} is distinct from true" for test in kept)
    return f'select {", ".join(columns)} from "{relation}" where {broken} order by "_row"'


def _quote_column(name: str | None) -> str:
    return f'left(cast("{name}" as varchar), {_LONGEST_QUOTE + 1})'


def _violation(rule: Rule, row: int, is_kept: bool | None, value: str | None) -> Violation:
    reason = rule.reason if is_kept is False else f"cannot be computed: {rule.reason}"
    if value is not None:
        reason = f"{reason}; it is {quoted(value)}"
    return Violation(row=row, field=rule.field, rule=rule.name, reason=reason)
