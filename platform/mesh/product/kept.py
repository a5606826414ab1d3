"""Which rows of one event input, and of what is made of it, are kept no longer, as SQL.

Not here: when they are dropped (`retention`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mesh.contract.custom import duration_ms
from mesh.contract.types import duckdb_columns
from mesh.product.duck import quoted
from mesh.product.plan import Input, Plan

__all__ = ["Kept", "has_origins", "origins_of", "places_of"]

# A row is kept longer than it must be by up to this share of the time.
STEPS = 64


class Kept:
    """What is kept of one event input and of what is made of it."""

    def __init__(self, source: Input, plan: Plan) -> None:
        outputs = [each.contract for each in plan.outputs_of(source)]
        self.topic, self.keep = source.contract.topic, source.keep
        self.table, self.origins = f'"input".{quoted(source.name)}', origins_of(source)
        self.has_origins = has_origins(source, outputs)
        self._keys = [quoted(each.name) for each in source.contract.key_fields]
        self._types = dict(duckdb_columns(source.contract))
        self.ages = {
            f"main.{quoted(each.name)}": timedelta(milliseconds=each.retention_ms)
            for each in outputs
            if each.retention_ms is not None
        }
        if self.has_origins and len(self.ages) == len(outputs):
            self.ages[self.origins] = max(self.ages.values())
        if age := duration_ms(source.keep):
            self.ages[self.table] = timedelta(milliseconds=age)
        self.step = min(self.ages.values(), default=timedelta()) / STEPS

    @property
    def columns(self) -> str:
        """SQL: the columns of the origins."""
        keys = [f"{quoted(n)} {t}" for n, t in self._types.items() if quoted(n) in self._keys]
        return ", ".join([*keys, "_partition integer", "_offset bigint"])

    def origin(self, alias: str) -> str:
        """SQL: the columns of the origins, of one relation."""
        keys = [quoted(name) for name in self._types if quoted(name) in self._keys]
        return ", ".join(f"{alias}.{each}" for each in [*keys, "_partition", "_offset"])

    def gone(self, table: str) -> str:
        """SQL: a relation and a condition that say which rows `i` of *table* go."""
        ends, same = "_ends", ["i._partition = e._partition", "i._offset < e._end"]
        if self.keep == "latest" and table == self.table:
            keys = ", ".join(f"n.{each}" for each in self._keys)
            # What came before was looked at before: only a new row has an old one go.
            ends = (
                f"(select {keys}, n._partition, max(n._offset) as _end from {table} n join _ends s"
                " on n._partition = s._partition and n._offset >= s._since group by all)"
            )
            same += [f"i.{each} = e.{each}" for each in self._keys]
        return f"{ends} e where {' and '.join(same)}"


def has_origins(source: Input, outputs: Sequence[object]) -> bool:
    """Whether rows of *source* may be dropped before what *outputs* have of them."""
    return bool(outputs) and source.member is None and source.contract.kind == "event"


def places_of(source: Input) -> str:
    """SQL: key and place of an input's rows, those that are no longer kept too."""
    keys = ", ".join(quoted(each.name) for each in source.contract.key_fields)
    tables = (f'"input".{quoted(source.name)}', origins_of(source))
    selects = (f"select {keys}, _partition, _offset from {each}" for each in tables)
    return f"({' union all '.join(selects)})"


def origins_of(source: Input) -> str:
    """The table of the keys and places of an input's rows that are no longer kept."""
    return f"origins.{quoted(source.name)}"
