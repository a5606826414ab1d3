"""Keeps the marts: made by workers from the copies of the ports that each reads, and shown.

    marts = Marts(folder, plans, shelf=shelf, pool=pool, granted=granted)
    marts.step()                       # refreshes what is due
    marts.shown(frozenset({"shop.orders"}))

A mart is seen by whoever may read all that it reads, as long as its owner may. Not here: how one
stands (`standing`), its file (`mart`), and what is computed in a worker (`part`).
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from mesh.errors import MeshError, NoRoom, StorageError
from mesh.sql.asked import Asked, document_of, offsets_of
from mesh.sql.mart import Mart, MartFile
from mesh.sql.part import Part
from mesh.sql.pool import Pool, Run
from mesh.sql.shelf import Shelf, Shown
from mesh.sql.standing import Standing

__all__ = ["Marts"]

LOOK_S = 0.3
# Of the time, a mart takes a fifth at most, and not more than once a second.
REST, LEAST_REST_S = 4, 1.0
# What everybody may know of a mart.
NAMES = ("table", "query", "owner")


class Marts:
    """The *marts* in *folder*. One thread refreshes, any may ask."""

    def __init__(
        self,
        folder: Path,
        marts: Iterable[Mart],
        *,
        shelf: Shelf,
        pool: Pool,
        granted: Callable[[str], frozenset[str]],
    ) -> None:
        self._shelf, self._pool, self._granted = shelf, pool, granted
        copies = folder / "marts" / "copies"
        # Of an earlier process, with generations that are ours now.
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir(parents=True, mode=0o700)
        self._lock = threading.Lock()
        self._age = 0
        self._all = {
            each.contract.id: Standing(
                file=MartFile(mart=each, path=folder / "marts" / f"{each.contract.id}.duckdb"),
                copies=copies,
            )
            for each in marts
        }
        for path in (folder / "marts").glob("*.duckdb"):
            if path.stem not in self._all:
                path.unlink()
        for one in self._all.values():
            if one.file.read():
                one.show(is_other=True)

    def run(self, stop: threading.Event, say: Callable[[str], None]) -> None:
        """Refresh what is due, until *stop* is set."""
        said = ""
        while not stop.wait(LOOK_S):
            try:
                for name, reason in self.step():
                    say(f"{name} is not refreshed: {reason}")
                said = ""
            except MeshError as error:
                if said != (said := str(error)):
                    say(f"marts are not refreshed: {error}")

    def step(self) -> list[tuple[str, str]]:
        """Refresh each mart that is due; of those that could not be, why, said once."""
        said = []
        for name, one in self._all.items():
            before, mart = one.reason, one.file.mart
            if not mart.reads <= self._granted(mart.owner):
                self._drop(one)
                one.reason = f"{mart.owner} may not read all of {', '.join(sorted(mart.reads))}"
            elif time.monotonic() >= one.next_at and self._has_news(one):
                begun = time.monotonic()
                try:
                    self._refresh(one)
                    one.reason = ""
                except MeshError as error:
                    one.reason = str(error)
                took = time.monotonic() - begun
                one.took_ms = int(1000 * took)
                one.next_at = time.monotonic() + (mart.every_s or max(LEAST_REST_S, REST * took))
            if one.reason and one.reason != before:
                said.append((name, one.reason))
        return said

    def shown(self, granted: frozenset[str]) -> Sequence[Shown]:
        """Copies of the marts that whoever is granted these ports may read."""
        return [one.shown[-1] for one in self._seen(granted) if one.shown]

    def told(self, granted: frozenset[str]) -> list[Mapping[str, object]]:
        """What there is to say of the same marts, and of those that have no rows yet."""
        return [{**one.told(), "is_behind": self._has_news(one)} for one in self._seen(granted)]

    def readers(self) -> Mapping[str, Sequence[Mapping[str, str]]]:
        """By each port the marts that read it: names alone."""
        found: dict[str, list[Mapping[str, str]]] = {}
        for one in self._all.values():
            told = {name: str(each) for name, each in one.told().items() if name in NAMES}
            for port in sorted(one.file.mart.reads):
                found.setdefault(port, []).append(told)
        return found

    def make_anew(self) -> None:
        """Have every mart made anew: in the files stands what was deleted."""
        with self._lock:
            # What is computed now is of rows of before.
            self._age += 1
        for one in self._all.values():
            self._drop(one)

    def _seen(self, granted: frozenset[str]) -> list[Standing]:
        """The marts that whoever is granted these ports may see."""
        return [
            one
            for one in self._all.values()
            if one.file.mart.reads <= granted
            and one.file.mart.reads <= self._granted(one.file.mart.owner)
        ]

    def _has_news(self, one: Standing) -> bool:
        """Whether rows of an input are other than those that it was made from."""
        now = self._shelf.standing(one.file.mart.reads)
        return len(now) == len(one.file.mart.reads) and now != one.made_from

    def _refresh(self, one: Standing) -> None:
        """Bring a mart up to the rows of its inputs."""
        mart, age = one.file.mart, self._age
        shown = self._shelf.current(mart.reads)
        if len(shown) != len(mart.reads):
            raise MeshError("not every port that it reads is there")
        part = one.part(shown)
        rows = self._asked(mart, shown, part)
        with self._lock:
            if age != self._age or not mart.reads <= self._granted(mart.owner):
                return
            try:
                is_other = one.file.take(rows, offsets_of(shown), is_part=part is not None)
            except NoRoom:
                raise
            except StorageError as error:
                # Its copies are whole, and are shown meanwhile.
                one.file.remove()
                one.made_from = {}
                raise StorageError(f"its file is made anew: {error}") from error
            one.made_from = {each.contract.id: (each.era, each.changes) for each in shown}
            one.is_part = part is not None
            one.show(is_other=is_other)

    def _asked(self, mart: Mart, shown: Sequence[Shown], part: Part | None) -> pa.Table:
        """The rows as a worker computes them, which has the ports that the mart reads alone."""
        run = Run(id=mart.contract.id, principal=f"the mart {mart.contract.id}")
        asked = Asked(
            principal=run.principal,
            sql=mart.sql if part is None else mart.part_sql,
            parameters={},
            format="arrow",
            promise=mart.promise,
        )
        # Nobody reads in the answer what it is true for.
        document = {**document_of(asked, ()), "part": part and part.as_document()}
        try:
            with self._pool.turn(run):
                pieces = self._pool.ask(run, [each.copy for each in shown], document)
                data = b"".join(pieces)
        finally:
            # The next time it has other copies.
            self._pool.stop(run.principal)
        return pa.ipc.open_stream(data).read_all()

    def _drop(self, one: Standing) -> None:
        """Have no rows of a mart any more."""
        with self._lock:
            one.drop()
