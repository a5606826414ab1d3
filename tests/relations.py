"""Products of tests that state a relation each, and the key ring that reads them all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesh.contract.model import Contract
from mesh.product.family_watch import Accepted, FamilyWatch
from mesh.product.plan import plan_product
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.testing import Workbench
from mesh.testing.messages import send_all
from tests.stats import PRODUCT as DESCRIPTOR

__all__ = ["RING", "domain_of", "running_ring", "state", "statement", "write_relation"]

RING = "key-ring"
CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: {product}.{port}
name: {port}
version: 1.0.0
status: active
domain: {domain}
description: {{purpose: Links., usage: Ask the key ring., limitations: None.}}
schema:
  - name: {name}
    physicalType: topic
    physicalName: {visibility}.{domain}.{product}.{port}.v1
    description: One row per statement about a link.
    properties:
      - {{name: statement_id, logicalType: string, description: Its id., required: true,
         primaryKey: true}}
      - {{name: link_id, logicalType: string, description: The link., required: true}}
      - name: from_id
        logicalType: string
        description: The one end.
        required: true
        classification: confidential
        customProperties:
          - {{property: identifier, value: {one}}}
          - {{property: personal, value: true}}
      - name: to_id
        logicalType: string
        description: The other end.
        required: true
        classification: confidential
        customProperties:
          - {{property: identifier, value: {other}}}
          - {{property: personal, value: true}}
      - {{name: valid_from, logicalType: timestamp, description: Since when.}}
      - {{name: valid_to, logicalType: timestamp, description: Until when.}}
      - {{name: retracted, logicalType: boolean, description: Taken back., required: true}}
slaProperties: [{{property: latency, value: 60, unit: s}}]
team: {{name: Test, members: [{{username: test@telco.example, role: owner}}]}}
customProperties:
  - {{property: portKind, value: event}}
  - {{property: partitions, value: 1}}
  - {{property: retention, value: forever}}
  - {{property: purpose, value: Find what belongs together.}}
  - {{property: access, value: ask}}
"""
RELATION = """  - property: relation
    value: {{from: {one}, to: {other}, cardinality: {cardinality}, meaning: A link of a test.,
            validFrom: valid_from, validTo: valid_to}}
"""
STAGED = """  - {name: changes, version: 1.0.0, contractId: %s.changes,
     customProperties: [{property: system, value: %s-system}]}"""
numbers = itertools.count()


def write_relation(
    root: Path, contract_id: str, ends: tuple[str, str], cardinality: str, domain: str = "marketing"
) -> None:
    """Write a product below *root* that states one relation; more ports to one that is there."""
    product, port = contract_id.split(".")
    folder = root / "products" / product.replace("-", "_")
    (folder / "contracts").mkdir(parents=True, exist_ok=True)
    words = {"product": product, "domain": domain, "one": ends[0], "other": ends[1]}
    relation = RELATION.format(**words, cardinality=cardinality)
    name = port.replace("-", "_")
    contract = CONTRACT.format(**words, port=port, name=name, visibility="pub") + relation
    (folder / "contracts" / f"{name}.odcs.yaml").write_text(contract)
    (folder / f"{name}.sql").write_text("select * from new_changes")
    descriptor = folder / "product.yaml"
    if descriptor.exists():
        more = f"  - {{name: {port}, description: Links., type: topic, version: 1.0.0,"
        more += f" contractId: {contract_id}}}\nmanagementPorts:"
        descriptor.write_text(descriptor.read_text().replace("managementPorts:", more))
        return
    staged = CONTRACT.format(**words, port="changes", name="changes", visibility="priv")
    (folder / "contracts" / "changes.odcs.yaml").write_text(staged)
    text = DESCRIPTOR.format(product=product, port=port, inputs=STAGED % (product, product))
    descriptor.write_text(text.replace("domain: customer-service", f"domain: {domain}"))
    (folder / "__init__.py").write_text('"""A product of a test."""\n')
    (folder / "README.md").write_text("A product of a test.\n")


def domain_of(bench: Workbench, name: str) -> str:
    """A domain of the test's own, so that its topics are."""
    mark = bench.contract("key-ring.links").domain.partition("-")[0]
    return f"{mark}-{name}"


def statement(link: str, one: str, other: str, **changed: Any) -> dict[str, Any]:
    """One statement about a link, which has been true for ever unless *changed*."""
    return {
        "statement_id": f"s{next(numbers)}",
        "link_id": link,
        "from_id": one,
        "to_id": other,
        "valid_from": None,
        "valid_to": None,
        "retracted": False,
        **changed,
    }


def state(bench: Workbench, contract: Contract, *rows: dict[str, Any]) -> list[tuple[int, int]]:
    """Write statements as the authority's product does; where they stand."""
    client = bench.backbone.endpoint.client(bench.principal(contract.product))
    messages = [
        {"key": row["statement_id"].encode(), "value": bench.encoded(contract, row)} for row in rows
    ]
    return send_all(client, contract.topic, messages)


@contextmanager
def running_ring(bench: Workbench, accepted: Accepted = dict) -> Iterator[Runtime]:
    """The key ring in this process, looking out for new relations, to be stepped by the test."""
    principal, project = bench.principal(RING), bench.project()
    plan = plan_product(project, RING)
    storage = Storage.open(bench.home.storage(RING), plan.tables)
    runtime = Runtime(plan, storage, endpoint=bench.backbone.endpoint, principal=principal)
    runtime.watch = FamilyWatch(project, bench.backbone.endpoint, principal, accepted=accepted)
    try:
        yield runtime
    finally:
        runtime.close()
        storage.close()
