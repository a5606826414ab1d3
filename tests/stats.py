"""Two products that exist in tests only: state ports over the call center's calls.

`call-stats` keeps a row a phone number of the events; `call-heavy` reads that port, and the events.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mesh.product.plan import plan_product
from mesh.testing import Backbone, Workbench, open_workbench
from mesh.testing.messages import send_all
from tests.people import free
from tests.stream import PRODUCT as CENTER
from tests.stream import calls

ROOT = Path(__file__).parents[1]
STATS, PHONES = "call-stats", "call-stats.phones"
HEAVY, CALLERS = "call-heavy", "call-heavy.callers"

PHONES_SQL = """
select phone_number, count(*) as calls, sum(duration_s)::bigint as seconds
from calls group by phone_number
"""
CALLERS_SQL = """
select p.phone_number, p.calls, count(k.call_id) as seconds
from phones p left join calls k on k.phone_number = p.phone_number
where p.calls > 1
group by p.phone_number, p.calls
"""
CALLERS_KEYS = """-- key input: phones
select phone_number from changed_phones
union all select phone_number from changed_calls
"""

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: {product}.{port}
name: {port}
version: 1.0.0
status: active
domain: customer-service
description: {{purpose: Counts., usage: Join by number., limitations: None.}}
schema:
  - name: {port}
    physicalType: topic
    physicalName: pub.customer-service.{product}.{port}.v1
    description: One row per phone number.
    properties:
      - name: phone_number
        logicalType: string
        description: The number at the customer's end.
        required: true
        primaryKey: true
        classification: confidential
        customProperties:
          - {{property: identifier, value: phone-number}}
          - {{property: personal, value: true}}
      - {{name: calls, logicalType: integer, description: How many calls., required: true}}
      - {{name: seconds, logicalType: integer, description: All of them., required: true,
         logicalTypeOptions: {{minimum: 0}}}}
team: {{name: Stats, members: [{{username: stats@telco.example, role: owner}}]}}
customProperties:
  - {{property: portKind, value: state}}
  - {{property: partitions, value: 4}}
  - {{property: purpose, value: Find who calls often.}}
  - {{property: access, value: auto}}
"""
PRODUCT = """
apiVersion: v1.1.0
kind: DataProduct
id: {product}
name: Stats
version: 1.0.0
status: active
domain: customer-service
type: aggregate
description: {{purpose: Counts., usage: Read it., limitations: None.}}
inputPorts:
{inputs}
outputPorts:
  - name: {port}
    description: One row per phone number.
    type: topic
    version: 1.0.0
    contractId: {product}.{port}
managementPorts:
  - {{name: discoverability, content: discoverability, type: rest, description: Offers.}}
  - {{name: observability, content: observability, type: rest, description: Health.}}
  - {{name: control, content: control, type: rest, description: Pause.}}
  - {{name: dictionary, content: dictionary, type: rest, description: Fields.}}
team: {{name: Stats, members: [{{username: stats@telco.example, role: owner}}]}}
support: [{{channel: stats, url: "mailto:stats@telco.example", tool: email}}]
"""


def write_product(root: Path, contract_id: str, inputs: list[str], sql: str, keys: str) -> None:
    """Write a product with one state port below *root*."""
    product, port = contract_id.split(".")
    folder = root / "products" / product.replace("-", "_")
    (folder / "contracts").mkdir(parents=True)
    ports = "\n".join(
        f"  - {{name: {each.split('.')[1]}, version: 1.0.0, contractId: {each}}}" for each in inputs
    )
    (folder / "product.yaml").write_text(PRODUCT.format(product=product, port=port, inputs=ports))
    contract = CONTRACT.format(product=product, port=port)
    (folder / "contracts" / f"{port}.odcs.yaml").write_text(contract)
    (folder / f"{port}.sql").write_text(sql)
    (folder / f"{port}.keys.sql").write_text(keys)
    (folder / "__init__.py").write_text('"""A product of a test."""\n')
    (folder / "README.md").write_text("A product of a test.\n")


def write_project(folder: Path) -> Path:
    """A copy of the project in *folder* with both products."""
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    free(folder / "products" / "call_center" / "contracts" / "calls.odcs.yaml")
    keys = "select phone_number from changed_calls"
    write_product(folder, PHONES, ["call-center.calls"], PHONES_SQL, keys)
    write_product(folder, CALLERS, [PHONES, "call-center.calls"], CALLERS_SQL, CALLERS_KEYS)
    return folder


@contextmanager
def open_stats(backbone: Backbone, folder: Path) -> Iterator[Workbench]:
    """A workbench with both products."""
    source, names = write_project(folder / "source"), (CENTER, STATS, HEAVY)
    with open_workbench(backbone, source=source, folder=folder, products=names) as bench:
        yield bench


def compacted(bench: Workbench, contract_id: str) -> dict[str, Any]:
    """The last value a key on a port's topic, as a consumer has it that starts now."""
    messages = bench.messages(bench.contract(contract_id).topic)
    last = {message.key().decode(): message for message in messages}
    rows = dict(zip(last, bench.decoded(last.values()), strict=True))
    return {key: row for key, row in rows.items() if row is not None}


def table(bench: Workbench, contract_id: str) -> dict[str, Any]:
    """The rows of a port in its product's storage, by key."""
    product, port = contract_id.split(".")
    return {row["phone_number"]: row for row in bench.rows(product, port)}


def whole(bench: Workbench, contract_id: str) -> dict[str, Any]:
    """What a port's whole query says now."""
    product = contract_id.split(".")[0]
    plan = plan_product(bench.project(), product)
    with bench.opened(product) as storage:
        found = storage.connection.sql(plan.states[0].query.sql).to_arrow_table().to_pylist()
    return {row["phone_number"]: row for row in found}


NUMBERS = 7


def few(count: int, start: int = 0) -> pa.Table:
    """Calls from a few numbers only, so that each has several."""
    found = calls(count, start)
    numbers = pa.array([f"+1202555010{(start + i) % NUMBERS}" for i in range(count)])
    return found.set_column(found.schema.get_field_index("phone_number"), "phone_number", numbers)


def feed(bench: Workbench, count: int, start: int = 0) -> None:
    """Feed calls and let the call center publish them."""
    bench.feed(CENTER, few(count, start))
    run(bench, CENTER, count)


def erase(bench: Workbench, count: int, start: int = 0) -> None:
    """Erase calls at their source, and let the call center pass it on."""
    ids = few(count, start)["call_id"].to_pylist()
    bench.send(CENTER, [{"key": each.encode(), "value": None} for each in ids])
    run(bench, CENTER, count)


def run(bench: Workbench, product: str, count: int = 0) -> None:
    """Run a product until *count* messages came and none waits."""
    with bench.running(product) as runtime:
        bench.settle(runtime, count)


def counts(bench: Workbench, port: str = PHONES) -> dict[str, int]:
    """How many calls a port's topic says of each number."""
    return {key: row["calls"] for key, row in compacted(bench, port).items()}


def expected(*pieces: pa.Table) -> dict[str, int]:
    """How many of these calls each number has."""
    numbers = pa.concat_tables(pieces)["phone_number"]
    return {each["values"]: each["counts"] for each in pc.value_counts(numbers).to_pylist()}


def assert_true(bench: Workbench, *ports: str) -> None:
    """Topic, table and whole query of each port agree."""
    for port in ports:
        truth = whole(bench, port)
        assert table(bench, port) == truth
        assert compacted(bench, port) == truth


def history(bench: Workbench, port: str) -> list[tuple[str, Any]]:
    """Every message of a port's topic, key and row, by key, each key's in order."""
    messages = bench.messages(bench.contract(port).topic)
    rows = bench.decoded(messages)
    found = [(each.key().decode(), row) for each, row in zip(messages, rows, strict=True)]
    return sorted(found, key=lambda each: each[0])


def storage_of(bench: Workbench, product: str) -> Path:
    """The file of a product's storage."""
    return bench.home.storage(product)


def copy_of(bench: Workbench, product: str) -> Path:
    """A copy of the storage as it is now."""
    storage = storage_of(bench, product)
    return Path(shutil.copy(storage, storage.with_name("copy")))


def assert_never_back(bench: Workbench, port: str, values: Callable[[Any], int]) -> None:
    """No message of a key has a lower value than one before: only calls that are added came."""
    last: dict[str, int] = {}
    for key, row in history(bench, port):
        assert row is not None, f"{key} was deleted"
        assert values(row) >= last.get(key, 0), f"{key} went back"
        last[key] = values(row)


def spoil(bench: Workbench, *keys: str) -> None:
    """Put messages on the phones' topic that nobody can read."""
    client = bench.backbone.endpoint.client(bench.principal(STATS))
    topic = bench.contract(PHONES).topic
    send_all(client, topic, [{"key": each.encode(), "value": b"junk"} for each in keys])


def rewrite(bench: Workbench, sql: str) -> Path:
    """Give `call-stats` another query."""
    (path := bench.root / "products" / "call_stats" / "phones.sql").write_text(sql)
    return path
