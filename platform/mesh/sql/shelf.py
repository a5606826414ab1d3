"""The tables of all public ports, and copies of them for workers, made when somebody asks.

One thread keeps the tables; any thread asks for copies, and waits until they are as new as they
should be. A copy is made at most every half second, and only of what has changed.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from mesh.contract.model import Contract
from mesh.contract.names import to_snake
from mesh.errors import MeshError, StorageError
from mesh.product.published import read_published
from mesh.product.rows import RowReader
from mesh.sql.session import Copy
from mesh.sql.table import Table

__all__ = ["Shelf", "Shown", "copy_of", "name_of"]

# A copy is made no more often than this, and is new enough for so long.
EVERY_S = 0.5
WAIT_S = 20.0
# A port that nobody has asked for so long has no copy any more.
IDLE_S = 600.0
KEPT_COPIES = 2
MEMORY = "400MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A copy of a port, and the offsets that come after its rows.

    Of a port that is published by day, it is each day's generation. In one *era* of an event
    port rows only come.
    """

    contract: Contract
    copy: Copy
    offsets: Mapping[str, int]
    changes: int
    at: float
    era: object = None


class Shelf:
    """Tables in *folder* of the ports of *contracts*, whose schemas *schema_of* knows.

    Ports that are published by day lie *elsewhere*: each with the folder of its files.
    """

    def __init__(
        self,
        folder: Path,
        contracts: Iterable[Contract],
        schema_of: Callable[[int], Mapping[str, object] | None],
        elsewhere: Iterable[tuple[Contract, Path]] = (),
    ) -> None:
        self._folder, self._schema_of = folder, schema_of
        self._elsewhere = {contract.id: (contract, path) for contract, path in elsewhere}
        self.contracts = {each.topic: each for each in contracts}
        self._connection = duckdb.connect()
        for setting in ("TimeZone = 'UTC'", f"memory_limit = '{MEMORY}'", "threads = 1"):
            self._connection.execute(f"set {setting}")
        for each in ("tables", "copies"):
            (folder / each).mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of an earlier process, with generations that are ours now.
        for left in (folder / "copies").iterdir():
            left.unlink()
        self.tables: dict[str, Table] = {}
        self._shown: dict[str, list[Shown]] = {}
        self._asked: dict[str, float] = {}
        self._generation = 0
        self._news = threading.Condition()
        self.has_looked = False

    def open(self, topic: str, topic_id: bytes, *, is_fresh: bool = False) -> Table:
        """The table of a topic, begun anew where it is another's or *is_fresh*."""
        self.drop(topic)
        contract = self.contracts[topic]
        path = self._folder / "tables" / f"{contract.id}.duckdb"
        if is_fresh:
            path.unlink(missing_ok=True)
        reader = RowReader(contract, self._schema_of)
        self.tables[topic] = table = Table(self._connection, contract, path, topic_id, reader)
        return table

    def drop(self, topic: str) -> None:
        """Have the table and its copies no more; its file stays until it is another topic's."""
        table = self.tables.pop(topic, None)
        if table is not None:
            table.close()
        self.forget(self.contracts[topic].id)

    def current(self, granted: Iterable[str]) -> list[Shown]:
        """Copies of those of the ports *granted*, by contract id, that there are.

        Raises `MeshError` where they do not come in time.
        """
        asked_at = time.monotonic()
        asked_for = set(granted)
        files = [shown_files(*self._elsewhere[each]) for each in asked_for & {*self._elsewhere}]
        wanted = sorted(asked_for & {each.id for each in self.contracts.values()})
        with self._news:
            for each in wanted:
                self._asked[each] = asked_at
            if not self._news.wait_for(lambda: self._are_new(wanted, asked_at), WAIT_S):
                raise MeshError("the rows are not there yet: try again, and see `mesh status`")
            tables = [self._shown[each][-1] for each in wanted if each in self._shown]
        return sorted([*tables, *filter(None, files)], key=lambda each: each.contract.id)

    def standing(self, ids: Iterable[str]) -> Mapping[str, tuple[object, int]]:
        """What tells whether the rows of ports are other than they were, of those there are."""
        found = {each.contract.id: (each.era, each.changes) for each in [*self.tables.values()]}
        return {each: found[each] for each in ids if each in found}

    def _are_new(self, wanted: Iterable[str], asked_at: float) -> bool:
        """Whether each copy has all that came until half a second before it was asked for."""
        tables = {each.contract.id: each for each in [*self.tables.values()]}
        for each in wanted:
            if each in tables:
                shown = self._shown.get(each)
                if not shown:
                    return False
                is_newest = shown[-1].changes == tables[each].changes
                if not is_newest and shown[-1].at < asked_at - EVERY_S:
                    return False
        return self.has_looked

    def refresh(self) -> None:
        """Make the copies that are due. Raises `StorageError` where there is no room."""
        now = time.monotonic()
        for table in self.tables.values():
            id_ = table.contract.id
            asked, shown = self._asked.get(id_), self._shown.get(id_)
            if asked is None or now - asked > IDLE_S:
                self.forget(id_)
            elif not shown or (
                shown[-1].changes != table.changes and now - shown[-1].at >= EVERY_S
            ):
                self._show(self._copy(table))
        with self._news:
            self._news.notify_all()

    def _show(self, made: Shown) -> None:
        """Have a copy taken for the newest, and remove those that nobody opens any more."""
        with self._news:
            shown = self._shown.setdefault(made.contract.id, [])
            shown.append(made)
            for old in shown[:-KEPT_COPIES]:
                old.copy.path.unlink(missing_ok=True)
            del shown[:-KEPT_COPIES]

    def forget(self, id_: str) -> None:
        """Remove the copies of a port; whoever asks for it again waits for a new one."""
        with self._news:
            for each in self._shown.pop(id_, ()):
                each.copy.path.unlink(missing_ok=True)

    def _copy(self, table: Table) -> Shown:
        """A copy of a table as it is now."""
        self._generation += 1
        contract = table.contract
        path = self._folder / "copies" / f"{contract.id}.{self._generation}.duckdb"
        table.checkpoint()
        # Before the copy, so that it is never said to be newer than it is.
        at = time.monotonic()
        try:
            shutil.copyfile(table.path, path)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error
        copy = copy_of(contract, self._generation, path)
        offsets = {str(partition): next_ for partition, next_ in sorted(table.offsets.items())}
        return Shown(
            contract=contract,
            copy=copy,
            offsets=offsets,
            changes=table.changes,
            at=at,
            era=table.era,
        )

    def close(self) -> None:
        """Close every table."""
        for topic in [*self.tables]:
            self.drop(topic)
        self._connection.close()


def shown_files(contract: Contract, folder: Path) -> Shown | None:
    """The days of a port as they are published now; None where none is.

    Their files are no copies: a day that is published anew has another, and keeps this a while.
    What is wrong with one port's list costs that port alone.
    """
    at = time.monotonic()
    try:
        published = read_published(folder)
    except StorageError as error:
        copy = replace(copy_of(contract, 0, folder), why_not=str(error))
        return Shown(contract=contract, copy=copy, offsets={}, changes=0, at=at)
    days = [published.days[each] for each in sorted(published.days)]
    if not days:
        return None
    files = tuple(folder / each.file for each in days)
    return Shown(
        contract=contract,
        copy=replace(copy_of(contract, published.generation, folder), parquet=files),
        offsets={str(each.day): each.generation for each in days},
        changes=published.generation,
        at=at,
    )


def copy_of(contract: Contract, generation: int, path: Path) -> Copy:
    """The rows of a port at *path*, under its name in SQL."""
    domain, product, port = name_of(contract)
    return Copy(
        domain=domain,
        product=product,
        port=port,
        columns=tuple(each.name for each in contract.fields),
        generation=generation,
        path=path,
    )


def name_of(contract: Contract) -> tuple[str, str, str]:
    """The three parts of a port's name in SQL: domain, product, port."""
    domain, product, port = (
        to_snake(each) for each in (contract.domain, contract.product, contract.port)
    )
    return domain, product, port.replace(".", "_")
