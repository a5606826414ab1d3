"""Which ports a query reads, and which of their columns it compares with one another.

    found = used_in("select … from a.b.c join d.e.f using (x)", contracts)
    found.ports    # {"b.c", "e.f"}
    found.pairs    # {(("b.c", "x"), ("e.f", "x"))}

Nothing but names comes out of it. A name of three parts means one table to DuckDB, and the same
here; what is between is followed by the reader of contracts' SQL. Not here: who counts (`notes`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from mesh.contract.model import Contract
from mesh.contract.sqlrows import Fields, Rows, Scope, Unclear, tables_of
from mesh.contract.sqlsources import Reader
from mesh.sql.shelf import name_of

__all__ = ["Column", "Used", "used_in"]

# Longer texts are rare, and to read one takes as long as a hundred others.
LONGEST_SQL = 20_000
# A port's id, and a column of it.
Column = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The *ports* of a query, and the *pairs* of columns that it has to be equal.

    *why_not* says why the pairs are not known.
    """

    ports: frozenset[str]
    pairs: frozenset[tuple[Column, Column]] = frozenset()
    why_not: str = ""


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep what sqlglot says of a text, which has the text in it, out of every log."""
    logger, reader = logging.getLogger("sqlglot"), threading.get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != reader

    logger.addFilter(is_of_another)
    try:
        yield
    finally:
        logger.removeFilter(is_of_another)


@unlogged()
def used_in(sql: str, contracts: Iterable[Contract]) -> Used:
    """What *sql* uses of the ports of *contracts*."""
    if len(sql) > LONGEST_SQL:
        return Used(ports=frozenset(), why_not="it is too long")
    known = {name_of(each): each for each in contracts}
    ports: frozenset[str] = frozenset()
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        ports = frozenset(named_by_port(tree, known))
        fields = {each.id: [one.name for one in each.fields] for each in known.values()}
        reader = PairReader(tables_of({id_: fields[id_] for id_ in ports}))
        reader.query(tree, None, is_top=True)
    except sqlglot.errors.SqlglotError:
        return Used(ports=ports, why_not="sqlglot cannot read it")
    except RecursionError:
        return Used(ports=ports, why_not="it is nested too deeply")
    except Unclear as unclear:
        return Used(ports=ports, why_not=str(unclear))
    return Used(ports=ports, pairs=frozenset(reader.pairs))


def named_by_port(tree: exp.Expr, known: Mapping[tuple[str, str, str], Contract]) -> Iterator[str]:
    """Have every table of *tree* that is *known* named by its port, which is said."""
    for table in tree.find_all(exp.Table):
        contract = known.get((table.catalog.lower(), table.db.lower(), table.name.lower()))
        if contract is not None:
            alias = table.alias or table.name
            for part in ("catalog", "db"):
                table.set(part, None)
            table.set("this", exp.to_identifier(contract.id, quoted=True))
            if not table.args.get("alias"):
                table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
            yield contract.id


class PairReader(Reader):
    """A reader that notes which columns of different ports are compared."""

    def __init__(self, known: Mapping[str, Rows]) -> None:
        super().__init__(known)
        self.pairs: set[tuple[Column, Column]] = set()

    def within(self) -> PairReader:
        """A reader of what is inside, that notes in the same place."""
        inner = PairReader(self.known)
        inner.pairs = self.pairs
        return inner

    def compared(self, left: Fields, right: Fields) -> None:
        """Note the columns of two sides, where each side is of one port, and of another."""
        ports = [{port for port, _ in side} for side in (left, right)]
        if len(ports[0]) == len(ports[1]) == 1 and ports[0] != ports[1]:
            self.pairs |= {(min(a, b), max(a, b)) for a in left for b in right}

    def sources(self, node: object, scope: Scope) -> Fields:
        """Of which fields an expression is made; a comparison is noted."""
        if isinstance(node, (exp.EQ, exp.NullSafeEQ)):
            self.compared(self.sources(node.this, scope), self.sources(node.expression, scope))
        elif isinstance(node, exp.In) and isinstance(node.args.get("query"), exp.Query):
            rows = self.query(node.args["query"], scope)
            self.compared(self.sources(node.this, scope), rows.everything)
        return super().sources(node, scope)
