"""Small pieces of SQL over the columns of a staged file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mesh.product.duck import quoted

__all__ = ["Ask", "Run", "asking", "full", "is_nothing", "literal", "matches"]

# What stands for "no value" in columns that are not text, and in none that is.
NOTHING = r"(NULL|null|#?NA|#?N/A|n/a|\\N|None|none|NaN|nan|--?)?"
Ask = Callable[[str], tuple[object, ...]]
Run = Callable[[str], Sequence[tuple[object, ...]]]


def full(text: str, pattern: str) -> str:
    """SQL that asks whether all of *text* matches."""
    return f"coalesce(regexp_full_match({text}, {literal(pattern)}), false)"


def matches(text: str, pattern: str) -> str:
    """SQL that asks whether a part of *text* matches."""
    return f"coalesce(regexp_matches({text}, {literal(pattern)}), false)"


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def is_nothing(column: str) -> str:
    """SQL that asks whether a value of a column that is not text stands for none.

    As an expression, since DuckDB makes a join of each long `in`, and there may be hundreds.
    """
    return f"({column} is null or {full(f'trim({column})', NOTHING)})"


def asking(run: Run, at: str) -> Ask:
    """Answers aggregates over the values of *at* that stand for something."""
    name = quoted(at)
    return lambda sql: run(f"select {sql} from staged where not {is_nothing(name)}")[0]
