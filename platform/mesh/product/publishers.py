"""Makers of messages with the ids under which their schemas are registered.

Nothing is registered here: only the mesh's registrar may.
"""

from __future__ import annotations

from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema
from mesh.errors import BackboneError
from mesh.product.outbox import REJECTED_SCHEMA, Publisher
from mesh.product.rejection import Rejector

__all__ = ["publisher", "rejector"]


def publisher(contract: Contract, registry: Registry) -> Publisher:
    """The publisher of a port, with the id its schema is registered under."""
    schema = avro_schema(contract)
    return Publisher(contract, schema, registered(registry, contract.subject, schema))


def rejector(topic: str, registry: Registry) -> Rejector:
    """The rejector that writes *topic*."""
    return Rejector(topic, registered(registry, f"{topic}-value", REJECTED_SCHEMA))


def registered(registry: Registry, subject: str, schema: dict[str, object]) -> int:
    """The id of *schema*, which only the mesh's registrar may register."""
    schema_id = registry.find(subject, schema)
    if schema_id is None:
        raise BackboneError(
            f"the schema of {subject} is not registered as the contract has it now: "
            "`mesh up` registers it (or `mesh provision`, where the mesh runs in containers)"
        )
    return schema_id
