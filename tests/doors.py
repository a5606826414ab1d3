"""A product's door over a real DuckDB, without Kafka: for tests that ask it over HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from mesh.backbone.endpoint import Principal
from mesh.contract.audit import ERASER
from mesh.contract.model import Contract, OutputPort, Product
from mesh.control.tokens import check_token, issue_token, make_keys, public_key
from mesh.home import Home
from mesh.observe.metrics import figures
from mesh.ports.app import door_app
from mesh.ports.door import Door
from mesh.ports.management import Management
from mesh.ports.serve import Server
from mesh.product.pause import Pause
from mesh.product.rewriting import Rewriting
from mesh.product.storage import Storage
from tests.mapped import notes_contract

__all__ = ["NAMES", "ROWS", "Doors", "asked", "opened_door"]

# A reader, an owner, a person with nothing, the product itself, another product, who erases.
NAMES = ("ada", "grace", "mallory", "sample", "other", ERASER)
# A full row, one of small things, one of nothing.
INSTANT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
ROWS = (
    {"id": "a", "note": 'é"\n,x', "code": "", "count": 2**53 + 1, "small": -7,
     "price": Decimal("12.50"), "share": math.nan, "is_open": True, "day": date(1, 1, 1),
     "at": INSTANT, "ref": "123e4567-e89b-12d3-a456-426614174000", "tags": ["a", None]},
    {"id": "b", "note": "", "count": 1, "price": Decimal("-0.01"), "share": 0.1, "is_open": False,
     "day": date(2026, 1, 31), "at": datetime(2026, 1, 3, tzinfo=UTC)},
    {"id": "c"},
)  # fmt: skip


@dataclass(kw_only=True)
class Doors:
    """One product's door, its storage, and a client for each principal."""

    home: Home
    storage: Storage
    contract: Contract
    door: Door
    management: Management
    client: httpx.Client
    status: dict[str, Any] = field(default_factory=dict)

    def token(self, name: str = "ada") -> str:
        """A good token."""
        return issue_token(self.home, Principal(name=name, secret=f"secret of {name}"))

    def ask(
        self,
        path: str = "/ports/notes/rows",
        name: str = "ada",
        method: str = "GET",
        **arguments: Any,
    ) -> httpx.Response:
        """Ask as *name*; the parameters of the query by name, or `params`."""
        headers = {"Authorization": f"Bearer {self.token(name)}", **arguments.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **arguments)

    def rows(self, path: str = "/ports/notes/rows", **params: Any) -> list[list[Any]]:
        """The rows of an answer that must be there."""
        answer = self.ask(path, params=params)
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["rows"]
        return found

    def ids(self, **params: Any) -> list[Any]:
        """The keys of the rows."""
        return [row[0] for row in self.rows(fields="id", **params)]

    def add(self, *rows: Mapping[str, Any], partition: int = 0) -> None:
        """Add rows and a new offset, in one transaction, as a batch does."""
        offset = self.storage.offsets.get("t", {}).get(partition, 0)
        with self.storage.transaction():
            for place, row in enumerate(rows, offset):
                row = {"_partition": partition, "_offset": place, **row}
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" for _ in row)
                self.storage.connection.execute(
                    f'insert into main."{self.contract.name}" ({names}) values ({marks})',
                    list(row.values()),
                )
            self._move(offset + len(rows), partition)

    def fill(self, count: int) -> None:
        """Add *count* rows whose id is a number of seven digits."""
        with self.storage.transaction():
            self.storage.connection.execute(
                f'insert into main."{self.contract.name}" (id, count, _partition, _offset)'
                f" select printf('%07d', range), range, 0, range from range({count})"
            )
            self._move(count, 0)

    def remove(self, id_: str) -> None:
        """Remove a row, as an erasure does."""
        with self.storage.transaction():
            self.storage.connection.execute(
                f'delete from main."{self.contract.name}" where id = ?', [id_]
            )
            self._move(self.storage.offsets.get("t", {}).get(0, 0) + 1, 0)

    def _move(self, offset: int, partition: int) -> None:
        from mesh.product.outbox import no_messages

        batch = self.storage.save(no_messages(), {"t": {partition: offset}})
        self.storage.committed(batch)


def asked(doors: Doors, query: str, name: str = "ada", **more: Any) -> dict[str, Any]:
    """What GraphQL answers."""
    answer = doors.ask("/graphql", name, "POST", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def opened_door(
    folder: Path, contract: Contract | None = None, *, has_open_samples: bool = True
) -> Iterator[Doors]:
    """A door that ada may read and grace owns."""
    contract = contract or notes_contract()
    home = Home.open(folder / "home")
    make_keys(home, [Principal(name=name, secret=f"secret of {name}") for name in NAMES])
    storage = Storage.open(home.storage("sample"), [("main", contract.name, contract)])
    key, status = public_key(home), dict(STATUS)
    door = Door(
        storage.reader(),
        {"notes": contract},
        readers=lambda _: {"ada", "sample"},
        check=lambda token: check_token(token, key, "sample"),
        secret="secret of sample",
    )
    management = Management(
        product=product_of(contract, folder),
        door=door,
        progress=lambda: status,
        rewriting=Rewriting(),
        pausing=Pause(home.storage("sample").with_name("pause.json")),
        owners=frozenset({"grace", "sample"}),
        figures=figures,
        identifiers={},
        has_open_samples=has_open_samples,
    )
    with ExitStack() as stack:
        stack.callback(storage.close)
        app = door_app(door, management)
        server = Server(app, home, "sample", host="127.0.0.1", port=0)
        server.start()
        stack.callback(server.stop)
        with httpx.Client(base_url=server.address, timeout=30) as client:
            yield Doors(
                home=home, storage=storage, contract=contract, door=door,
                management=management, client=client, status=status,
            )  # fmt: skip


STATUS: Mapping[str, Any] = json.loads(
    '{"name": "sample", "kind": "product", "state": "running", "reason": "", "lag": 0,'
    ' "freshness_s": null, "last_arrival_at": null, "offsets": {"t": {"0": 7}}}'
)


def product_of(contract: Contract, folder: Path) -> Product:
    """A product with this one port."""
    port = OutputPort(name="notes", contract=contract, sql_path=folder / "notes.sql")
    return Product(
        id="sample", version="1.0.0", name="Sample", domain="sample", owner="a@b.example",
        description="", inputs=(), outputs=(port,), contracts=(contract,), folder=folder,
        document={"id": "sample"},
    )  # fmt: skip
