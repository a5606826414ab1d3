"""Payment risk on a real broker: what a fair run publishes, and an unfair or a killed one not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mesh.contract.types import arrow_schema
from mesh.product.appending import Appender
from mesh.testing import Workbench, open_workbench
from tests.people import free
from tests.repository import ROOT
from tests.risk import AS_OF, PORTS, inputs

pytest.importorskip("fairlearn", reason="needs the extra: pip install -e '.[risk]'")
pytestmark = [pytest.mark.broker, pytest.mark.slow]

PRODUCTS = ["billing", "device-plans", "payment-risk"]
FEEDS = {
    "billing": ("sent-invoices", "received-payments"),
    "device-plans": ("settled-instalments", "agency-handovers", "declared-age-bands"),
}


def half(rows: pa.Table, known: set[str]) -> pa.Table:
    """The rows of every second contract: enough to learn from, in half the time."""
    for name in ("contract_number", "invoice_id"):
        if name in rows.column_names:
            return rows.filter(pc.is_in(rows[name], pa.array(known)))
    return rows


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("risk")
    told = inputs(AS_OF)
    contracts = set(told["instalments"]["contract_number"].to_pylist()[::2])
    invoices = half(told["invoices"], contracts)
    known = contracts | set(invoices["invoice_id"].to_pylist())
    with open_workbench(backbone, source=ROOT, folder=folder, products=PRODUCTS) as found:
        for product in ("billing", "device-plans"):
            for contract in (found.root / "products" / product.replace("-", "_")).rglob("*.yaml"):
                if "access\n    value: ask" in contract.read_text("utf-8"):
                    free(contract)
        found.provision()
        for product, ports in FEEDS.items():
            tables = {port: half(told[PORTS[port]], known) for port in ports}
            for port, rows in tables.items():
                assert found.feed(product, rows, port).count_bad == 0
            with found.running(product) as runtime:
                found.settle(runtime, sum(rows.num_rows for rows in tables.values()))
        yield found


def run(bench: Workbench, *arguments: str, code: int = 0, **environment: str):
    """What `mesh run-batch` says of a run, which ends with *code*."""
    command = [sys.executable, "-m", "mesh", "run-batch", "payment-risk", "--as-of", str(AS_OF)]
    done = subprocess.run(
        [*command, "--json", *arguments],
        env=bench.environment() | environment,
        cwd=bench.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if code < 0:
        return {}
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["run"]


def settled(bench: Workbench) -> list[dict]:
    """The product's scores when it has taken in all that there is."""
    with bench.running("payment-risk") as runtime:
        bench.settle(runtime)
    return bench.rows("payment-risk", "scores")


def count(bench: Workbench, contract_id: str) -> int:
    return len(bench.messages(bench.contract(contract_id).topic))


def test_an_unfair_run_publishes_nothing_and_its_owner_is_told(bench):
    stopped = run(bench, "--set", "recipe=naive", code=1)
    scores = settled(bench)

    assert "equalizedOddsDifference is 0." in stopped["reason"]
    assert scores == []
    assert count(bench, "payment-risk.run-scores") == count(bench, "payment-risk.runs") == 0
    told = {(row["port"], row["rule"]) for row in bench.rows("payment-risk", "quality", "mesh")}
    assert ("payment-risk.runs", "fair") in told


def test_a_run_that_is_killed_before_its_record_says_nothing_until_it_is_repeated(bench):
    run(bench, code=-9, MESH_FAILPOINT="kill:committed")
    before = settled(bench)
    record = run(bench)
    after = settled(bench)

    assert before == []
    assert len(after) == record["count_scores"] > 1_000
    assert {row["run_id"] for row in after} == {record["run_id"]}
    assert count(bench, "payment-risk.run-scores") == record["count_scores"] + 1


def test_a_repeated_run_adds_nothing(bench):
    before = count(bench, "payment-risk.run-scores")
    repeated = run(bench)

    assert before == count(bench, "payment-risk.run-scores") == repeated["count_scores"] + 1
    assert count(bench, "payment-risk.run-records") == 2


def test_the_published_record_says_what_the_run_was_made_of(bench):
    settled(bench)
    (row,) = bench.rows("payment-risk", "runs")
    places = {each["port"]: each for each in json.loads(row["inputs"])}

    assert row["outcome"] == "published"
    assert row["equalized_odds_difference"] <= 0.1
    assert set(places) == {
        "invoices", "payments", "instalments", "handovers", "payer-age-bands"
    }  # fmt: skip
    topic = bench.contract("device-plans.instalments").topic
    assert places["instalments"]["topic"] == topic
    assert sum(places["instalments"]["offsets"].values()) >= places["instalments"]["rows"] > 4_000


def test_more_scores_than_kafkas_client_holds_at_once_are_written_in_one_run(bench):
    contract, many = bench.contract("payment-risk.run-scores"), 120_000
    before = count(bench, contract.id)
    numbers = range(many)
    rows = pa.table(
        {
            "row_id": [f"large/{each}" for each in numbers],
            "run_id": ["R-2026-04-29-00000000000f"] * many,
            "contract_number": [f"C-{each:09}" for each in numbers],
            "role": ["payer"] * many,
            "payer_id": ["P-000001"] * many,
            "as_of": pa.array([AS_OF] * many, pa.date32()),
            "score": pa.array(["0.1"] * many).cast(pa.decimal128(7, 6)),
            "review": [False] * many,
        }
    ).cast(arrow_schema(contract))
    login = (bench.backbone.endpoint, bench.principal("payment-risk"))

    with closing(Appender(contract, *login)) as appender:
        appender.open()
        end = appender.append(rows)

    assert count(bench, contract.id) == before + many
    assert end >= many
