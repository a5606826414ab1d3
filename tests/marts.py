"""Marts for tests of the SQL access point: how many orders have a number, and the sum of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesh.sql.marts import Marts
from tests.life import wait_until
from tests.queries import ORDERS, PEOPLE, named_in
from tests.sql import EVENTS, SECRETS, Access, messages_of, opened_access

__all__ = ["KEYS", "MART", "NEEDS", "SQL", "UNLIMITED", "Fed", "opened_marts", "put_mart"]

SQL = "select n, count(*) as orders from sales.shop.orders where n > 1 group by n having orders < 4"
UNLIMITED = {name: replace(each, is_limited=False) for name, each in PEOPLE.items()}
KEYS = "select n from changed_shop_orders"
MART = "select n, orders from marts.sales.per_n order by n"
NEEDS = "-- rows of: shop_orders\nfrom sales.shop.orders semi join _touched using (n)"


def put_mart(
    folder: Path,
    name: str = "per-n",
    sql: str = SQL,
    *,
    keys: str = "",
    needs: str = "",
    when: str = "on: new offsets",
) -> None:
    """The files of a mart."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(ORDERS.format(name=name, sql=sql, more=f"mart: {{{when}}}"))
    for kind, text in (("keys", keys), ("needs", needs)):
        if text:
            (folder / f"{name}.{kind}.sql").write_text(text)


@contextmanager
def opened_marts(folder: Path) -> Iterator[tuple[Access, Marts]]:
    """An access point with the marts in *folder*, each of which is refreshed by hand."""
    with opened_access(folder, named=named_in(folder / "queries", UNLIMITED)) as access:
        yield access, access.marts


class Fed:
    """An access point that is told orders, one batch after the other."""

    def __init__(self, access: Access, marts: Marts) -> None:
        self.access, self.marts, self.next = access, marts, 0
        self.rows: list[tuple[str, int]] = []

    def put(self, batch: Sequence[tuple[str, int | None]]) -> None:
        """Take a batch in, and refresh."""
        self.access.put.put(messages_of(batch, first=self.next))
        self.next += 2 * len(batch)
        table = self.access.desk.shelf.tables[EVENTS.topic]
        wait_until(lambda: table.offsets.get(0, 0) == self.next - 1)
        for key, n in batch:
            self.rows = [each for each in self.rows if n is not None or each[0] != key]
            self.rows += [(key, n)] if n is not None else []
        # A copy is as new as half a second, so a look may have found one of before.
        wait_until(self.is_refreshed)

    def is_refreshed(self) -> bool:
        """Whether all that came is in every mart, after a look."""
        assert self.marts.step() == []
        return not any(each["is_behind"] for each in self.told())

    def told(self) -> list[Mapping[str, Any]]:
        """What is said of the marts."""
        return self.marts.told(frozenset({EVENTS.id, SECRETS.id}))

    def mart(self, name: str = "per_n") -> Any:
        """The rows of a mart."""
        return self.access.rows(MART.replace("per_n", name))

    @property
    def expected(self) -> list[list[int]]:
        """The rows that a mart is to have."""
        counts = Counter(n for _, n in self.rows if n > 1)
        return sorted([n, count] for n, count in counts.items() if count < 4)
