"""Every port of every product that ships has the same rows whichever way it is read.

By stream, REST, GraphQL, gRPC, SQL and as a batch, at the same offsets. Products and ports are
found, so that a new one is tried too. Contracts with every type: tests/unit/test_parity.py.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from mesh.batch.parquet import read as read_parquet
from mesh.cli.app import App
from mesh.cli.export import exported
from mesh.cli.read import fetch_graphql, fetch_grpc, fetch_rows
from mesh.cli.sql import ask_sql, tables_for
from mesh.contract.model import Contract
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.product.appending import Appender
from mesh.product.systems import find_systems
from mesh.sql.limits import missing
from mesh.testing import Workbench, open_workbench
from tests.life import ROOT, Mesh, opened, wait_until
from tests.models import record
from tests.parity import Rows, differing, rows_of_table, rows_of_values

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux"),
]

READER = "ada"
RECORDS = 400
FIRST_OF_MARCH = 29_300
# Few contradict each other or hand anything over, and no file was delivered.
PERHAPS_EMPTY = {
    "device-plans.handovers", "key-ring.conflicts", "network-usage.days",
    "reports.days", "reports.ledger", "reports.decisions",
}  # fmt: skip
RUN = "R-2026-04-30-000000000001"
PORTS = [
    port.contract.id
    for product in load_project(ROOT).products.values()
    for port in product.outputs
    if port.contract.is_streamed
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who was granted every port, and reads them in every way."""

    app: App
    bench: Workbench
    folder: Path

    def once(self, contract: Contract) -> tuple[dict[str, Rows], bool]:
        """The rows by each way, and whether all are true for the same offsets."""
        asked = (self.app, contract, None, READER)
        rest, graphql, grpc = (fetch(*asked) for fetch in (fetch_rows, fetch_graphql, fetch_grpc))
        names = ", ".join(f'"{each.name}"' for each in contract.fields)
        sql = ask_sql(self.app, f"select {names} from {self.table(contract)}", READER)
        path = self.folder / f"{contract.id}.parquet"
        batch, about = read_parquet(
            exported(self.app, contract, path, at=None, principal=READER).path
        )
        path.unlink()
        streamed, ends = self.streamed(contract)
        ways = {
            "stream": rows_of_values(contract, streamed),
            **{name: each["rows"] for name, each in
               {"rest": rest, "graphql": graphql, "grpc": grpc, "sql": sql}.items()},
            "batch": rows_of_table(contract, batch),
        }  # fmt: skip
        inputs = [each["offsets"] for each in (rest, graphql, grpc, fetch_rows(*asked))]
        own = (sql["offsets"][contract.topic], about.offsets[contract.topic])
        is_same = all(each == inputs[0] for each in inputs) and all(
            # The end that some name lies behind the marker of a transaction.
            {int(place): offset for place, offset in each.items()}.get(partition, 0) >= end
            for each in own
            for partition, end in ends.items()
        )
        return ways, is_same

    def streamed(self, contract: Contract) -> tuple[list[Any], dict[int, int]]:
        """What is on the topic and committed, of a state port the last of each key; its ends."""
        messages = self.bench.messages(contract.topic)
        rows = self.bench.decoded(messages)
        ends = {each.partition(): each.offset() + 1 for each in messages}
        if contract.kind == "state":
            last = {each.key(): row for each, row in zip(messages, rows, strict=True)}
            rows = list(last.values())
        return [each for each in rows if each is not None], ends

    def table(self, contract: Contract) -> str:
        """What a port is called in SQL."""
        tables = tables_for(self.app, READER)
        return next(str(each["name"]) for each in tables if each["port"] == contract.id)


@pytest.fixture(scope="module")
def reader(backbone, tmp_path_factory):
    """A mesh of every product, fed by every system there is, and nothing on its way."""
    folder = tmp_path_factory.mktemp("parity")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        grant_all(bench.root / "company" / "people.yaml")
        settings = {
            **backbone.environment(),
            "MESH_PROJECT": str(bench.root),
            "MESH_GRPC_PORT": "0",
        }
        with opened(bench.home.path, **settings) as mesh, pytest.MonkeyPatch.context() as patch:
            for name in [each for each in os.environ if each.startswith("MESH_")]:
                patch.delenv(name)
            for name, value in {**settings, "MESH_HOME": str(bench.home.path)}.items():
                patch.setenv(name, value)
            app = App()
            # What the environment says, read before a test of its own has none.
            assert app.settings.home_path == bench.home.path
            mesh.run("up")
            feed_all(bench)
            announce_run(bench)
            wait_until(lambda: is_quiet(mesh) and is_quiet(mesh), 200, lambda: str(mesh.status()))
            yield Reader(app=app, bench=bench, folder=folder)


def grant_all(path: Path) -> None:
    """Have the reader be granted every port, by the file."""
    document = yaml.safe_load(path.read_text("utf-8"))
    person = next(each for each in document["people"] if each["name"] == READER)
    purpose = "Compare what every way says."
    person["grants"] = [{"contract": each, "purpose": purpose} for each in PORTS]
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def feed_all(bench: Workbench) -> None:
    """What every system writes first, and what it writes once there are payments."""
    products = bench.project().products
    for product, system in find_systems().items():
        # One that delivers files writes no topic.
        if not any(each.system for each in products[product].inputs):
            continue
        tables: dict[str, list[pa.Table]] = {}
        for start in (0, FIRST_OF_MARCH):
            for batch in system.batches(7, RECORDS, start=start):
                for port, table in batch.items():
                    tables.setdefault(port, []).append(table)
        for port, some in tables.items():
            bench.feed(product, pa.concat_tables(some), port)


def announce_run(bench: Workbench) -> None:
    """What a batch run of payment-risk says: its scores, the last row, its record."""
    some = [
        {"row_id": f"{RUN}/{n}", "run_id": RUN, "contract_number": f"C-{n:09}", "role": "payer",
         "payer_id": f"P-{n:06}", "as_of": date(2026, 4, 30), "score": Decimal(n) / 1000,
         "review": n > 200}
        for n in range(1, 301)
    ]  # fmt: skip
    end = {"row_id": f"{RUN}/end", "run_id": RUN, "as_of": date(2026, 4, 30)}
    told = record(RUN, date(2026, 4, 30), count_scores=len(some))
    for port, rows in (("run-scores", [*some, end]), ("run-records", [told])):
        contract = bench.project().contract(f"payment-risk.{port}")
        principal = bench.principal("payment-risk")
        with closing(Appender(contract, bench.backbone.endpoint, principal)) as appender:
            appender.open()
            appender.append(pa.Table.from_pylist(rows, schema=arrow_schema(contract)))


def is_quiet(mesh: Mesh) -> bool:
    """Whether every product runs, and no service has anything left to read."""
    services = mesh.status()["services"]
    products = [each for each in services if each["kind"] == "product"]
    return all(each["state"] == "running" for each in products) and not any(
        each.get("lag") for each in services
    )


@pytest.mark.parametrize("port", PORTS)
def test_a_port_has_the_same_rows_whichever_way_it_is_read(reader, port):
    contract = reader.bench.contract(port)
    found: dict[str, Rows] = {}

    def is_at_rest() -> bool:
        ways, is_same = reader.once(contract)
        found.update(ways)
        return is_same

    wait_until(is_at_rest, 60)
    assert set(found) == {"stream", "rest", "graphql", "grpc", "sql", "batch"}
    assert differing(found) == {}


def test_what_was_fed_is_in_the_ports(reader):
    rows = {port: len(reader.streamed(reader.bench.contract(port))[0]) for port in PORTS}

    assert {port for port, count in rows.items() if not count} <= PERHAPS_EMPTY
