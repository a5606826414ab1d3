"""What a query's columns are made of, found by trying: change one input column, run it again.

Also makes random queries. A column that changes was made of what was changed, so whatever says of
which fields a column is made must name it. Not here: who says so (`mesh.contract.sqlsources`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import duckdb

from mesh.contract.sqlrows import Rows, tables_of

__all__ = ["TABLES", "inputs", "missing", "random_query"]

TABLES: dict[str, tuple[str, ...]]
TABLES = {"t": ("a", "b", "c"), "u": ("a", "d", "e"), "v": ("b", "d", "f")}
ROWS, TRIES = 6, 3


def inputs() -> dict[str, Rows]:
    """The tables as a reader of queries knows them."""
    return tables_of(TABLES)


def missing(sql: str, said: Rows, seed: int) -> list[str]:
    """What *said* leaves out: each a column of the result and the input column that changed it."""
    chance = random.Random(seed)  # noqa: S311 - the same again by its seed, and no secret
    found = []
    with duckdb.connect(config={"threads": 1}) as connection:
        tables = {name: rows_of(columns, chance) for name, columns in TABLES.items()}
        fill(connection, tables)
        before = columns_of(connection, sql)
        for table, columns in TABLES.items():
            if f" {table}" not in sql.lower():
                continue
            for place, column in enumerate(columns):
                for _ in range(TRIES):
                    other = [list(row) for row in tables[table]]
                    for row in other:
                        row[place] = chance.choice((None, 0, 1, 2, 3))
                    fill(connection, {table: other})
                    after = columns_of(connection, sql)
                    for name in changed(before, after):
                        made_of = (said.column(name.lower()) or frozenset()) | said.decides
                        if (table, column) not in made_of:
                            found.append(f"{name} <- {table}.{column}")
                fill(connection, {table: tables[table]})
    return found


def rows_of(columns: tuple[str, ...], chance: random.Random) -> list[list[int | None]]:
    """A few rows of few values, so that joins meet and groups have several rows."""
    return [[chance.choice((None, 0, 1, 2, 3)) for _ in columns] for _ in range(ROWS)]


def fill(connection: duckdb.DuckDBPyConnection, tables: dict[str, list[list[int | None]]]) -> None:
    """Put these rows in place of what a table has."""
    for name, rows in tables.items():
        listed = ", ".join(str(tuple(row)).replace("None", "null::integer") for row in rows)
        columns = ", ".join(TABLES[name])
        connection.execute(
            f"create or replace table {name} as select * from (values {listed}) x({columns})"
        )


def columns_of(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Counter[str]]:
    """The values of each column of the result, in no order."""
    cursor = connection.execute(sql)
    names = [each[0] for each in cursor.description or ()]
    rows = cursor.fetchall()
    return {name: Counter(repr(row[n]) for row in rows) for n, name in enumerate(names)}


def changed(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> Iterator[str]:
    """The columns whose values differ."""
    yield from (name for name in before if before[name] != after.get(name))


def random_query(seed: int) -> str:
    """A query of CTEs, joins, unions, groups, windows and subqueries, that DuckDB accepts."""
    return Maker(random.Random(seed)).whole()  # noqa: S311 - as above


class Maker:
    """Makes one query. *known* are its tables and CTEs with their columns."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.known = dict(TABLES)

    def whole(self) -> str:
        """A query with none to three CTEs."""
        parts = []
        for number in range(self.chance.randrange(4)):
            sql, columns = self.query(2)
            parts.append(f"p{number} as ({sql})")
            self.known[f"p{number}"] = columns
        body, _ = self.query(2)
        return (f"with {', '.join(parts)} " if parts else "") + body

    def query(self, depth: int) -> tuple[str, tuple[str, ...]]:
        """A query and the names of its columns."""
        kind = self.chance.randrange(8)
        if kind == 0 and depth:
            (one, columns), (other, others) = self.query(depth - 1), self.query(depth - 1)
            count = min(len(columns), len(others))
            names, more = ", ".join(columns[:count]), ", ".join(others[:count])
            word = self.chance.choice(("union all", "union", "except", "intersect"))
            return (
                f"select {names} from ({one}) {word} select {more} from ({other})",
                columns[:count],
            )
        if kind == 1:
            return self.grouped(depth)
        if kind == 2:
            return self.starred()
        return self.plain(depth)

    def starred(self) -> tuple[str, tuple[str, ...]]:
        """`*` with something left out and something more."""
        table = self.chance.choice(list(self.known))
        columns = self.known[table]
        one = self.chance.choice(columns)
        kept = tuple(each for each in columns if each != one)
        value = self.value([("q", columns)])
        if not kept or self.chance.random() < 0.4:
            return f"select * replace ({value} as {one}) from {table} q", columns
        return f"select * exclude ({one}), {value} as x from {table} q", (*kept, "x")

    def plain(self, depth: int) -> tuple[str, tuple[str, ...]]:
        """Columns of one or two tables, with conditions."""
        tables, text = self.tables(depth)
        values = [self.value(tables, depth) for _ in range(self.chance.randint(1, 3))]
        names = tuple(f"x{n}" for n in range(len(values)))
        listed = ", ".join(f"{v} as {n}" for v, n in zip(values, names, strict=True))
        word = "distinct " * (self.chance.random() < 0.15)
        where = f" where {self.condition(tables, depth)}" if self.chance.random() < 0.4 else ""
        end = ""
        if self.chance.random() < 0.2:
            order = ", ".join(self.reference(tables) for _ in range(2))
            end = f" qualify row_number() over (partition by {order}) = 1" if not word else ""
            end = "" if end else f" order by {', '.join(names)} limit 2"
        return f"select {word}{listed} from {text}{where}{end}", names

    def grouped(self, depth: int) -> tuple[str, tuple[str, ...]]:
        """Aggregates by one column."""
        tables, text = self.tables(depth)
        by = self.reference(tables)
        one, other, third = (self.reference(tables) for _ in range(3))
        aggregate = self.chance.choice(
            (
                f"max({one})",
                f"sum({one}) filter (where {self.condition(tables, 0)})",
                "count(*)",
                f"count(distinct {one} + {other})",
                f"list({one} order by {one}, {other}, {third})",
            )
        )
        having = f" having count({other}) > 1" if self.chance.random() < 0.3 else ""
        if self.chance.random() < 0.3:
            struct = f"max({other}), max({one})"
            sql = f"select {by} as g, unnest(struct_pack(y := {struct.split(', ')[0]}, z := 1))"
            return f"{sql} from {text} group by {by}{having}", ("g", "y", "z")
        if "list" in aggregate:
            aggregate = f"len({aggregate}) + coalesce({aggregate}[1], 0)"
        group = self.chance.choice((by, "1", "all"))
        return f"select {by} as g, {aggregate} as y from {text} group by {group}{having}", (
            "g",
            "y",
        )

    def tables(self, depth: int) -> tuple[list[tuple[str, tuple[str, ...]]], str]:
        """What a query reads: tables by alias, and the text of its FROM."""
        first = self.chance.choice(list(self.known))
        tables, text = [("q", self.known[first])], f"{first} q"
        if depth and self.chance.random() < 0.25:
            sql, columns = self.query(depth - 1)
            tables, text = [("q", columns)], f"({sql}) q"
        if self.chance.random() < 0.45:
            second = self.chance.choice(list(self.known))
            both = [*tables, ("r", self.known[second])]
            kind = self.chance.choice(("join", "left join", "full join", "semi join", "anti join"))
            common = [each for each in tables[0][1] if each in self.known[second]]
            if common and self.chance.random() < 0.4:
                text += f" {kind} {second} r using ({common[0]})"
            else:
                text += f" {kind} {second} r on {self.reference(both[:1])}"
                text += f" = {self.reference(both[1:])}"
            tables = tables if kind.startswith(("semi", "anti")) else both
        return tables, text

    def reference(self, tables: list[tuple[str, tuple[str, ...]]]) -> str:
        """A column."""
        alias, columns = self.chance.choice(tables)
        return f"{alias}.{self.chance.choice(columns)}"

    def value(self, tables: list[tuple[str, tuple[str, ...]]], depth: int = 0) -> str:
        """An expression that is a number."""
        one, other, third = (self.reference(tables) for _ in range(3))
        table = self.chance.choice(list(TABLES))
        inner, second = TABLES[table][0], TABLES[table][1]
        return self.chance.choice(
            (
                one,
                f"{one} + {other}",
                f"case when {one} > {other} then {third} else 0 end",
                f"coalesce({one}, {other})",
                f"rank() over (partition by {one} order by {other})",
                f"sum({one}) over (order by {other}, {third} range unbounded preceding)",
                f"len(list_filter([{one}, {other}], lambda w: w > 1))",
                f"(select max(i.{second}) from {table} i where i.{inner} = {one})",
                f"(select count(*) from {table} i where i.{inner} > {one})",
                f"cast(exists (select 1 from {table} where {inner} = {one}) as integer)",
            )
        )

    def condition(self, tables: list[tuple[str, tuple[str, ...]]], depth: int) -> str:
        """An expression that is true or not."""
        one, other = self.reference(tables), self.reference(tables)
        table = self.chance.choice(list(TABLES))
        return self.chance.choice(
            (
                f"{one} > 0",
                f"{one} = {other}",
                f"{one} is null or {other} < 3",
                f"{one} in (select {TABLES[table][0]} from {table})",
                f"not exists (select 1 from {table} i where i.{TABLES[table][1]} = {one})",
            )
        )
