"""Pages of an algorithm in tests: two runs of payment-risk, which dorothy may read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from confluent_kafka import Message

from catalog.pages.models import runs_of
from mesh.backbone.record import encoded
from mesh.contract.types import avro_schema
from tests.life import wait_until
from tests.shelves import shipped_shelf
from tests.signed import Signed, signed_pages

__all__ = ["CARD", "NAMES", "RUNS", "SHEET", "opened_runs", "record"]

RUNS = runs_of(shipped_shelf().project.products["payment-risk"])
NAMES = ("R-2026-04-29-0123456789ab", "R-2026-04-30-0123456789ab")
CARD, SHEET = "/products/payment-risk/model-card", "/products/payment-risk/data-sheet"


def group(count: int) -> dict[str, Any]:
    """Figures of a group."""
    return {
        "count": count, "unpaid": 0.2, "reviewed": 0.1, "true_positive_rate": 0.4,
        "false_positive_rate": 0.05, "auc": 0.62, "brier": 0.12,
        "roc": [[0, 0], [0.5, 0.7], [1, 1]], "calibration": [[0.1, 0.12], [0.3, 0.28]],
    }  # fmt: skip


def record(run: str, as_of: object, **changes: object) -> dict[str, Any]:
    """A run's record as the product publishes it."""
    inputs = [
        {"port": port, "rows": 1234, "topic": f"pub.x.{port}.v1", "topic_id": "t",
         "offsets": {"0": 1300}}
        for port in ("invoices", "payer-age-bands")
    ]  # fmt: skip
    return {
        "run_id": run, "as_of": as_of, "outcome": "published", "reason": None,
        "model_version": "corrected-1", "code_hash": "0" * 64, "seed": 7,
        "libraries": json.dumps({"scikit-learn": "1.9.0"}), "inputs": json.dumps(inputs),
        "count_read": 10, "count_examples": 6230, "count_scores": 3428,
        "equalized_odds_difference": 0.018, "equal_opportunity_difference": 0.01,
        "demographic_parity_difference": 0.02, "auc": 0.62, "brier": 0.12,
        "figures": json.dumps({"everybody": group(6000), "18-25": group(900)}),
    } | changes  # fmt: skip


def message(number: int, row: dict[str, Any]) -> Message:
    """A row as Kafka's client gives it."""
    value = encoded(8, avro_schema(RUNS), row)
    return Message(
        topic=RUNS.topic, partition=0, offset=number, key=row["run_id"].encode(), value=value
    )


@contextmanager
def opened_runs(folder: Path) -> Iterator[Signed]:
    """Pages beside an SQL access point that has both runs."""
    with signed_pages(folder, RUNS) as found:
        rows = [record(run, date(2026, 4, 29 + n)) for n, run in enumerate(NAMES)]
        found.sql.put.put([message(n, row) for n, row in enumerate(rows)])
        count = "select count(*) from risk.payment_risk.runs"
        wait_until(lambda: found.sql.rows(count, "dorothy") == [[2]])
        yield found
