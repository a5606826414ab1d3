"""A real Kafka and registry, and the call center on them, for the time of a measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from confluent_kafka.admin import AdminClient, NewTopic

from company.telephony import Telephony
from mesh.backbone.endpoint import Principal
from mesh.contract.project import PEOPLE, load_project
from mesh.contract.types import avro_schema
from mesh.product.outbox import Publisher
from mesh.settings import load
from mesh.testing import Workbench, open_workbench
from mesh.testing.backbone import Backbone, embedded
from mesh.testing.copies import withdraw

__all__ = [
    "CALLS",
    "PRODUCT",
    "STAGING",
    "calls",
    "client",
    "drop_masked",
    "new_topic",
    "opened",
    "registered",
    "running",
]

ROOT = Path(__file__).parent.parent
PRODUCT, STAGING, CALLS = "call-center", "call-center.finished-calls", "call-center.calls"
FINISHED, MASKED = "finished-calls", "call-center.calls-masked"


@contextmanager
def running() -> Iterator[Backbone]:
    """An embedded backbone in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        embedded(Path(folder), load()) as backbone,
    ):
        yield backbone


@contextmanager
def opened(backbone: Backbone) -> Iterator[Workbench]:
    """The project, under topics of its own; the call center has its one port in clear."""
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        open_workbench(backbone, source=ROOT, folder=Path(folder)) as bench,
    ):
        drop_masked(bench.root)
        yield bench


def drop_masked(root: Path) -> None:
    """Take the masked port out of the project at *root*: a peer writes one topic, too."""
    project = load_project(root)
    known = {one.id for each in project.products.values() for one in each.contracts}
    withdraw(root / PEOPLE, products={*project.products}, contracts=known - {MASKED})
    path = project.product(PRODUCT).folder / "product.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["outputPorts"] = [each for each in document["outputPorts"] if each["name"] == "calls"]
    path.write_text(yaml.safe_dump(document), encoding="utf-8")


def calls(count: int) -> pa.Table:
    """So many finished calls of the company's world, as the telephony system says them."""
    return pa.concat_tables(each[FINISHED] for each in Telephony().batches(7, count))


def client(backbone: Backbone) -> dict[str, Any]:
    """The settings of a client with the administrator's rights: peers have no principal."""
    return backbone.endpoint.client(backbone.admin, backbone.admin_mechanism)


def new_topic(backbone: Backbone, name: str, partitions: int = 4) -> str:
    """Make a topic for one side and round."""
    admin = AdminClient(client(backbone))
    for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        future.result()
    return name


def registered(bench: Workbench, contract_id: str) -> tuple[Publisher, int, dict[str, object]]:
    """The publisher of a contract, its schema's id, and the schema."""
    contract = bench.contract(contract_id)
    schema = avro_schema(contract)
    schema_id = bench.registry.find(contract.subject, schema)
    assert schema_id is not None  # noqa: S101 - the workbench has registered it
    return Publisher(contract, schema, schema_id), schema_id, schema


def principal(bench: Workbench) -> Principal:
    """The product's own."""
    return bench.principal(PRODUCT)


def batches(table: pa.Table, size: int) -> Sequence[pa.Table]:
    """*table* in pieces."""
    return [table.slice(start, size) for start in range(0, table.num_rows, size)]
