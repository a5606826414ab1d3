"""Reads what a question asks: a page in order of key, or every row as the storage has them.

A page's rows are those of one transaction. Between two pages the product goes on: a row that is
there the whole time is read once, one that comes or goes meanwhile perhaps; each page says the
offsets it is true for, and equal offsets mean that nothing has changed.
Not here: the question (`question`), formats (`formats`), who may ask (`door`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema, arrow_type
from mesh.ports.cursor import Cursors, Place
from mesh.ports.question import Question
from mesh.ports.snapshot import Snapshot
from mesh.ports.typed import Scalar, placeholder, text_of, value_of
from mesh.product.duck import ORIGIN, quoted

__all__ = ["Page", "every_row", "read_page", "row_schema"]

# A page ends early rather than fill the memory that the product works in.
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows in order of key, and the cursor of the next page, if there is one."""

    rows: pa.Table
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The columns that a port's rows are ordered by, each with the SQL of a value to compare."""

    names: tuple[str, ...]
    typed: tuple[str, ...]

    @property
    def sql(self) -> str:
        """For `order by`; rows of one place stay as they were stored."""
        return ", ".join([*map(quoted, self.names), "_place"])


def row_schema(contract: Contract, fields: Sequence[str]) -> pa.Schema:
    """The Arrow schema of some of a contract's fields."""
    whole = arrow_schema(contract)
    chosen = [whole.field(name) for name in fields]
    return pa.schema([each.with_type(relaxed(each.type)) for each in chosen])


def relaxed(type_: pa.DataType) -> pa.DataType:
    """*type_* where all inside it may be null: in a record that is null, Arrow says it is."""
    if pa.types.is_struct(type_):
        parts = [type_.field(number) for number in range(type_.num_fields)]
        return pa.struct([(each.name, relaxed(each.type)) for each in parts])
    if pa.types.is_list(type_):
        return pa.list_(pa.field(type_.value_field.name, relaxed(type_.value_type)))
    return type_


def read_page(snapshot: Snapshot, question: Question, cursors: Cursors) -> Page:
    """The page that *question* asks. Raises `BadCursor` for a cursor that is not of it."""
    assert question.limit is not None  # noqa: S101 - the caller's condition, for the type checker
    contract, order = question.contract, order_of(question.contract)
    place = cursors.read(question.cursor, question.digest) if question.cursor is not None else None
    sql, values = page_sql(question, order, place)
    names = list(dict.fromkeys((*question.fields, *order.names)))
    rows, has_more = bounded(
        snapshot.stream(sql, values, schema_of(contract, names)), question.limit
    )
    found = pa.concat_tables(rows) if rows else schema_of(contract, names).empty_table()
    after = cursors.write(behind(found, order, place, question.digest)) if has_more else None
    return Page(rows=found.select(list(question.fields)).combine_chunks(), next=after)


def every_row(snapshot: Snapshot, question: Question) -> Iterator[pa.Table]:
    """Every row that fits, in no order, as it is read."""
    contract, condition = question.contract, question.condition
    columns = ", ".join(map(quoted, question.fields))
    sql = f"select {columns} from {table_of(contract)} where {condition.sql}"
    yield from snapshot.stream(sql, condition.values, row_schema(contract, question.fields))


def order_of(contract: Contract) -> Order:
    """The key's fields; an event port may hold a key twice, from two messages."""
    keys = contract.key_fields
    names = [each.name for each in keys]
    typed = [placeholder(each.type) for each in keys]
    if contract.kind == "event":
        names += [name for name, _ in ORIGIN]
        typed += [f"cast(? as {type_})" for _, type_ in ORIGIN]
    return Order(names=tuple(names), typed=tuple(typed))


def schema_of(contract: Contract, names: Sequence[str]) -> pa.Schema:
    """The Arrow schema of columns of a port's table, where they come from included."""
    fields = {each.name: each.type for each in contract.fields}
    origin = {"_partition": pa.int32(), "_offset": pa.int64()}
    return pa.schema(
        [
            (name, origin[name] if name in origin else relaxed(arrow_type(fields[name])))
            for name in names
        ]
    )


def table_of(contract: Contract) -> str:
    """Where a port's rows are."""
    return f"main.{quoted(contract.name)}"


def page_sql(
    question: Question, order: Order, place: Place | None
) -> tuple[str, tuple[Scalar, ...]]:
    """The query of a page, one row longer than the page, and its values.

    Behind a place stand the rest of the rows that share it, and all rows of a later one.
    """
    assert question.limit is not None  # noqa: S101 - the caller's condition, for the type checker
    condition, table = question.condition, table_of(question.contract)
    source = f"(select *, rowid as _place from {table} where {condition.sql})"
    columns = ", ".join(map(quoted, dict.fromkeys((*question.fields, *order.names))))
    tail = f"order by {order.sql} limit {question.limit + 1}"
    if place is None:
        return f"select {columns} from {source} {tail}", condition.values
    values = condition.values
    here = place_values(question.contract, order, place)
    left, right = ", ".join(map(quoted, order.names)), ", ".join(order.typed)
    # The first comparison is for DuckDB's statistics: it skips blocks by one column.
    later = f"{quoted(order.names[0])} >= {order.typed[0]} and ({left}) > ({right})"
    same = f"({left}) = ({right}) order by _place offset {place.count}"
    sql = (
        f"select {columns} from ((select * from {source} where {same}) union all"
        f" (select * from {source} where {later})) {tail}"
    )
    return sql, (*values, *here, *values, here[0], *here)


def place_values(contract: Contract, order: Order, place: Place) -> tuple[Scalar, ...]:
    """What a cursor's texts are as values to bind."""
    types = {each.name: each.type for each in contract.fields}
    return tuple(
        value_of(text, types[name]) if name in types else int(text)
        for name, text in zip(order.names, place.order, strict=True)
    )


def bounded(tables: Iterator[pa.Table], limit: int) -> tuple[list[pa.Table], bool]:
    """As many rows of *tables* as fit on a page, and whether there are more."""
    found: list[pa.Table] = []
    count = size = 0
    for table in tables:
        if count + table.num_rows > limit:
            return [*found, table.slice(0, limit - count)], True
        # At least one row, or a reader would never get on.
        if found and size + table.nbytes > MAX_BYTES:
            return found, True
        found.append(table)
        count, size = count + table.num_rows, size + table.nbytes
    return found, False


def behind(rows: pa.Table, order: Order, before: Place | None, question: str) -> Place:
    """The place behind the last of *rows*."""
    last = tuple(text_of(rows[name][-1].as_py()) for name in order.names)
    count = 0
    for index in range(rows.num_rows - 1, -1, -1):
        if tuple(text_of(rows[name][index].as_py()) for name in order.names) != last:
            break
        count += 1
    else:
        # The whole page is in one place, perhaps the one where the page before ended.
        count += before.count if before is not None and before.order == last else 0
    return Place(question=question, order=last, count=count)
