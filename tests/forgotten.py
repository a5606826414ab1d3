"""Two people behind one number, one after the other, and all that a mesh has of them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from confluent_kafka import TopicPartition

from mesh.contract.types import arrow_schema
from mesh.testing import Workbench

__all__ = ["ACCOUNT", "ANNA", "BEN", "CALLS", "HERS", "HIS", "NUMBER", "age_out", "plant"]

# Anna had the number until it became Ben's.
ANNA, BEN, NUMBER = "P-90000001", "P-90000002", "+12025550177"
HERS, HIS, ACCOUNT = "C-900000001", "C-900000002", "B-900000001"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED = BEGIN + timedelta(days=60)
CALLS = "call-center.calls"


def feed(bench: Workbench, product: str, port: str, *rows: dict[str, Any]) -> None:
    """Send rows as a product's system does; what is not named is of no matter."""
    contract, _ = bench.staging(product, port)
    plain: dict[str, Any] = {"string": "x", "timestamp": BEGIN, "int64": 1, "boolean": False}
    full = [
        {
            each.name: row.get(each.name, plain.get(each.type.kind) if each.is_required else None)
            for each in contract.fields
        }
        for row in rows
    ]
    fed = bench.feed(product, pa.Table.from_pylist(full, arrow_schema(contract)), port)
    assert (fed.count_new, fed.count_bad) == (len(rows), 0), fed


def link(key: str, since: datetime = BEGIN, until: datetime | None = None, **ends: str):
    return {"statement_id": f"{key}-0", "link_id": key, "valid_from": since, "valid_to": until,
            **ends}  # fmt: skip


def call(at: datetime, number: str = NUMBER, **fields: Any) -> dict[str, Any]:
    return {"call_id": str(uuid.uuid4()), "phone_number": number, "queue": "billing",
            "started_at": at, "ended_at": at + timedelta(minutes=3), **fields}  # fmt: skip


def plant(bench: Workbench) -> None:
    """Two people, one after the other behind a number, and what there is of them."""
    feed(
        bench, "contracts", "contract-changes",
        *({"change_id": f"{each}-0", "contract_number": each, "kind": "mobile",
           "opened_at": at} for each, at in ((HERS, BEGIN), (HIS, CHANGED))),
    )  # fmt: skip
    feed(
        bench, "contracts", "role-changes",
        *(link(f"{role}-{who}", at, contract_number=what, role=role, person_id=who)
          for role in ("holder", "user") for who, what, at in
          ((ANNA, HERS, BEGIN), (BEN, HIS, CHANGED))),
    )  # fmt: skip
    feed(
        bench, "contracts", "number-changes",
        link("n-1", BEGIN, CHANGED, phone_number=NUMBER, contract_number=HERS),
        link("n-2", CHANGED, phone_number=NUMBER, contract_number=HIS),
    )  # fmt: skip
    feed(bench, "billing", "account-changes",
         link("a-1", contract_number=HERS, billing_account_number=ACCOUNT))  # fmt: skip
    feed(bench, "billing", "payer-changes",
         link("p-1", billing_account_number=ACCOUNT, payer_id=ANNA))  # fmt: skip
    feed(bench, "billing", "sent-invoices",
         {"invoice_id": "I-900000001", "billing_account_number": ACCOUNT,
          "contract_number": HERS, "issued_at": BEGIN, "due_at": CHANGED, "amount": 10,
          "currency": "USD"})  # fmt: skip
    days = (BEGIN + timedelta(days=1), BEGIN + timedelta(days=30), CHANGED + timedelta(days=1))
    feed(bench, "call-center", "finished-calls", *map(call, days))
    bench.send(
        "call-center",
        [
            {"key": b"junk-1", "value": f"about {ANNA} at {NUMBER}".encode()},
            {"key": b"junk-2", "value": f"about {BEN} at {NUMBER}".encode()},
        ],
    )


def age_out(bench: Workbench) -> None:
    """Remove the calls from their staging topic, as its retention does after a week."""
    contract, _ = bench.staging("call-center")
    last = {each.partition(): each.offset() for each in bench.messages(contract.topic)}
    places = [TopicPartition(contract.topic, n, offset + 1) for n, offset in last.items()]
    client = bench.backbone.administrator()._client
    for future in client.delete_records(places).values():
        future.result(10)
