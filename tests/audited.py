"""The audit service's real door over logs in a folder, for tests of pages: all but Kafka is there.

`billing.tariffs` is open to everybody, and `call-center.calls` is personal; both were written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx

from catalog.audit_door import AuditDoor
from catalog.shelf import Shelf
from mesh.audit.entry import Columns
from mesh.audit.follower import Followed
from mesh.audit.origin import LogName
from mesh.audit.store import Log
from mesh.backbone.endpoint import Principal
from mesh.backbone.record import encoded
from mesh.contract.catalogue import CATALOGUE
from mesh.contract.model import Contract, OutputPort
from mesh.contract.types import avro_schema
from mesh.control.tokens import issue_token, make_keys, public_key
from mesh.home import Home
from mesh.wiring.audit import app_of
from mesh.wiring.granted import Granted
from tests.audit import key_of, salt
from tests.shelves import served, shipped_shelf, with_entries
from tests.strategies import contract_of, field_of

__all__ = ["CALLER", "HOSTILE_KEY", "TARIFFS", "audited", "audited_shelf"]

CALLER = "+12025550123"
HOSTILE_KEY = "<img src=x onerror=alert(1)>/%2e?"
FIRST_MS = 1_764_400_000_000
SCHEMA_ID = 7
TARIFFS = replace(
    contract_of(
        field_of("tariff", required=True, key=1), field_of("price"), topic="pub.billing.tariffs.v1"
    ),
    id="billing.tariffs", product="billing", domain="finance", name="tariffs", kind="state",
)  # fmt: skip
# Key and price; None ends a tariff.
SAID = [
    *[(f"T-{each:02}", str(each)) for each in range(40)],
    ("T-01", "12.50"), ("T-02", None), (HOSTILE_KEY, "<b>1</b>"), ("-x y", "3"),
]  # fmt: skip


def audited_shelf(contract: Contract = TARIFFS) -> Shelf:
    """The shipped shelf, whose product `billing` has one port more, open to everybody."""
    shelf = shipped_shelf()
    entry = shelf.entries["billing"]
    port = OutputPort(name="tariffs", contract=contract, sql_path=Path("tariffs.sql"))
    product = replace(
        entry.product,
        outputs=(*entry.product.outputs, port),
        contracts=(*entry.product.contracts, contract),
    )
    project = replace(shelf.project, products={**shelf.project.products, "billing": product})
    entries = {**shelf.entries, "billing": replace(entry, product=product)}
    return replace(with_entries(shelf, entries), project=project)


def messages(first: int, keys: Sequence[str], values: Sequence[bytes | None]) -> Columns:
    """Messages of one partition, one a second and at every second offset, from *first* on."""
    numbers = range(first, first + len(keys))
    return Columns(
        offsets=[2 * each for each in numbers],
        timestamps_ms=[FIRST_MS + 1000 * each for each in numbers],
        headers=[[("salt", salt(each))] for each in numbers],
        keys=[each.encode() for each in keys],
        values=values,
    )


def said(price: tuple[str, str | None]) -> bytes | None:
    """The message that a tariff has this price."""
    key, value = price
    row = {"tariff": key, "price": value}
    return encoded(SCHEMA_ID, avro_schema(TARIFFS), row) if value is not None else None


class Logs:
    """What a follower has, whose topics nobody writes any more."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, key_of("mesh-audit/test")
        self.followed: dict[tuple[str, int], Followed] = {}
        self.logs: dict[str, Log] = {}
        self.reason = ""

    def write(self, topic: str, partition: int, batch: Columns) -> None:
        """Log *batch*."""
        name = LogName(
            mesh=self._key.name, topic=topic, topic_id=bytes(range(16)), partition=partition
        )
        log = self.logs[name.path] = Log(self._folder / name.path, name, self._key)
        log.add(batch, needs_salt=True)
        self.followed[topic, partition] = Followed(id=name.topic_id, log=log)

    def close(self) -> None:
        """Let go of the files."""
        for each in self.logs.values():
            each.close()


@contextmanager
def audited(folder: Path, shelf: Shelf) -> Iterator[AuditDoor]:
    """The audit service of what the ports of *shelf* said, as its catalogue asks it."""
    home = Home.open(folder / "home")
    catalogue = Principal(name=CATALOGUE, secret="secret")
    make_keys(home, [catalogue])
    logs = Logs(folder / "logs")
    for partition in (0, 1):
        # A key has one partition, as a topic's producer sees to.
        its = [each for each in SAID if sum(each[0].encode()) % 2 == partition]
        logs.write(
            TARIFFS.topic, partition, messages(0, [key for key, _ in its], [*map(said, its)])
        )
    calls = shelf.project.contract("call-center.calls")
    logs.write(calls.topic, 0, messages(0, [CALLER] * 30, [CALLER.encode()] * 30))
    registry = SimpleNamespace(schema={SCHEMA_ID: avro_schema(TARIFFS)}.get)
    key = key_of("mesh-audit/test").log_key
    granted = Granted(shelf.project)
    granted.take({})
    app = app_of(logs, granted, registry, key, public_key(home))  # type: ignore[arg-type]  # of the same shape
    try:
        with served(app, folder / "run") as door, httpx.Client(trust_env=False) as client:
            yield AuditDoor(
                client=client,
                address=lambda: str(door.base_url).rstrip("/"),
                token=lambda name: issue_token(home, catalogue, name),
            )
    finally:
        logs.close()
