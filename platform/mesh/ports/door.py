"""A product's door: who gets which rows, and of how much at once.

Not here: HTTP (`app`), tokens (`check` is handed in), reading (`pages`), formats (`formats`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.errors import Refused
from mesh.ports.cursor import Cursors
from mesh.ports.formats import Notes, encode
from mesh.ports.keytext import pairs_of
from mesh.ports.pages import every_row, read_page, row_schema
from mesh.ports.question import Pairs, Question, question_of
from mesh.ports.refusals import Busy, NotKnown, NotThere
from mesh.ports.snapshot import Snapshot, translated
from mesh.product.duck import quoted

__all__ = ["Answer", "Asked", "Door"]

# So many pages and whole ports are read at once: they share the product's memory.
PAGES_AT_ONCE = 4
EXPORTS_AT_ONCE = 1
PATIENCE_S = 10.0
# What Parquet and Arrow are written in at once.
EXPORT_ROWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for rows. *pairs* are its parameters, *known* the validators it already has."""

    token: str
    port: str
    pairs: Pairs = ()
    key: str | None = None
    accept: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows, to be taken once. *batches* is None where the reader has them already.

    Whoever takes an answer closes it: a whole port is read while it is sent.
    """

    format: str
    etag: str
    notes: Notes
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch] | None
    close: Callable[[], None] = lambda: None

    @property
    def pieces(self) -> Iterator[bytes]:
        """The rows in the format that was asked for."""
        return encode(self.format, self.schema, self.batches or iter(()), self.notes)


class Door:
    """What a product lets out: *contracts* by port name, to whom *readers* says may read now."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contracts: Mapping[str, Contract],
        *,
        readers: Callable[[Contract], Collection[str]],
        check: Callable[[str], str],
        secret: str,
    ) -> None:
        self._connection = connection
        # Where the same rows are read by gRPC, if they are.
        self.grpc_port: int | None = None
        self.contracts = contracts
        self._readers = readers
        self._check = check
        self._cursors = Cursors(secret)
        self._pages = threading.Semaphore(PAGES_AT_ONCE)
        self._exports = threading.Semaphore(EXPORTS_AT_ONCE)

    def principal(self, token: str) -> str:
        """Whom the token speaks for. Raises `NotKnown` for one that is not good."""
        try:
            return self._check(token)
        except Refused as error:
            raise NotKnown(str(error)) from error

    def contract(self, port: str, token: str) -> Contract:
        """The contract of *port*, if whoever the token speaks for may read it.

        Raises `NotKnown` for a token that is not good, `Refused` for a port that is not
        granted. A port that is not there is refused alike, so that nobody learns names by asking.
        """
        principal = self.principal(token)
        contract = self.contracts.get(port)
        if contract is None or principal not in self._readers(contract):
            raise Refused(f"{principal} is not granted {port}")
        return contract

    def answer(self, asked: Asked) -> Answer:
        """The rows that are asked for.

        Raises what `contract` does, `WrongUse` for a question that does not fit the contract,
        `NotThere` where no row has the key, `Busy` where too many read at once.
        """
        contract = self.contract(asked.port, asked.token)
        question = question_of(contract, pairs_of(contract, asked.pairs, asked.key), asked.accept)
        schema = row_schema(contract, question.fields)
        answered = partial(Answer, format=question.format, schema=schema)
        if question.limit is None:
            return self._export(question, asked.known, answered)
        with self._turn(self._pages), self._look() as snapshot:
            etag = snapshot.version.etag(question.whole)
            notes = Notes(offsets=snapshot.version.offsets, others=provenance(contract))
            if matches(etag, asked.known):
                return answered(etag=etag, notes=notes, batches=None)
            page = read_page(snapshot, question, self._cursors)
        if asked.key is not None and not page.rows.num_rows:
            raise NotThere(f"{contract.id} has no row with this key")
        notes = Notes(offsets=notes.offsets, next=page.next, others=notes.others)
        batches = iter(page.rows.cast(schema).to_batches())
        return answered(etag=etag, notes=notes, batches=batches)

    def _export(self, question: Question, known: str, answered: Callable[..., Answer]) -> Answer:
        """Every row, read while it is sent."""
        if not self._exports.acquire(timeout=PATIENCE_S):
            raise Busy("the whole of a port is being read already: try again, or read by pages")
        snapshot = None
        try:
            snapshot = Snapshot(self._connection)
            etag = snapshot.version.etag(question.whole)
            others = provenance(question.contract)
            notes = Notes(offsets=snapshot.version.offsets, others=others)
            batches = None
            close = once(snapshot.close, self._exports.release)
            if matches(etag, known):
                close()
            else:
                batches = grouped(every_row(snapshot, question))
        except BaseException:
            if snapshot is not None:
                snapshot.close()
            self._exports.release()
            raise
        return answered(etag=etag, notes=notes, batches=batches, close=close)

    def offsets(self) -> Mapping[str, Mapping[str, int]]:
        """What was taken in until now: the next offset of each input partition."""
        with self._look() as snapshot:
            return snapshot.version.offsets

    def counts(self) -> tuple[dict[str, int], int]:
        """How many rows each port has, and how many rows and messages were ever rejected."""
        cursor = self._connection.cursor()
        try:
            with translated():
                rows = {}
                for port, contract in self.contracts.items():
                    cursor.execute(f"select count(*) from main.{quoted(contract.name)}")
                    rows[port] = int(cursor.fetchall()[0][0])
            return rows, sum(count for *_, count in self.rejections())
        finally:
            cursor.close()

    def rejections(self) -> list[tuple[str, str, str, int]]:
        """Port, rule, field and count of what was ever set aside."""
        cursor = self._connection.cursor()
        try:
            with translated():
                found = cursor.execute(
                    "select port, rule, field, sum(count_rejected)::bigint from mesh.quality"
                    " group by all order by all"
                ).fetchall()
            return [
                (str(port), str(rule), str(field or ""), int(n)) for port, rule, field, n in found
            ]
        finally:
            cursor.close()

    def sample(self, contract: Contract, count: int) -> pa.Table:
        """A few rows of a port."""
        question = question_of(contract, [("limit", str(count))], "")
        with self._turn(self._pages), self._look() as snapshot:
            return read_page(snapshot, question, self._cursors).rows

    @contextmanager
    def _look(self) -> Iterator[Snapshot]:
        snapshot = Snapshot(self._connection)
        try:
            yield snapshot
        finally:
            snapshot.close()

    @contextmanager
    def _turn(self, places: threading.Semaphore) -> Iterator[None]:
        if not places.acquire(timeout=PATIENCE_S):
            raise Busy("too many read at once: try again")
        try:
            yield
        finally:
            places.release()


def provenance(contract: Contract) -> dict[str, str]:
    """Which promise rows were made under, for formats that can carry it."""
    return {"mesh.contract": contract.id, "mesh.version": contract.version}


def matches(etag: str, known: str) -> bool:
    """Whether If-None-Match names *etag* (RFC 9110, compared weakly)."""
    values = [each.strip().removeprefix("W/") for each in known.split(",")]
    return "*" in values or etag.removeprefix("W/") in values


def grouped(tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Rows in batches of the size that columnar files like."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= EXPORT_ROWS:
            yield from pa.concat_tables(waiting).combine_chunks().to_batches()
            waiting = []
    if waiting:
        yield from pa.concat_tables(waiting).combine_chunks().to_batches()


def once(*actions: Callable[[], None]) -> Callable[[], None]:
    """All of *actions* when called first, nothing after."""
    lock = threading.Lock()

    def act() -> None:
        if lock.acquire(blocking=False):
            for each in actions:
                each()

    return act
