"""Every principal of a project and its rights at the broker: least privilege, from the files.

Who may read a port is the project's to say (`Project.readers_of`): its files, and what owners
said since. Nobody may do anything that is not listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mesh.backbone.admin import Right
from mesh.contract.access import ACCESS, GRANTS_TOPIC
from mesh.contract.audit import AUDIT, ERASER
from mesh.contract.catalogue import CATALOGUE, PRODUCTS_TOPIC
from mesh.contract.model import Contract, InputPort, Product
from mesh.contract.project import Project
from mesh.contract.sql import SQL
from mesh.errors import SettingsError
from mesh.product.feed import feed_topic
from mesh.product.plan import inputs_of, position_topic, rejected_topic_of, retry_topic_of

__all__ = [
    "REGISTRAR",
    "SCHEMAS_TOPIC",
    "access_rights",
    "audit_rights",
    "principals_of",
    "reading",
    "rights_of",
    "sql_rights",
    "transacting",
    "writing",
]

REGISTRAR = "mesh-registrar"
SCHEMAS_TOPIC = "pub.mesh.registry.schemas.v1"


def principals_of(project: Project) -> tuple[str, ...]:
    """Every product, system, person and service.

    Raises `SettingsError` where two of them share a name, since they would share a secret.
    """
    kinds = {
        "product": set(project.products),
        "system": set(project.systems),
        "person": set(project.people),
        "service": {REGISTRAR, CATALOGUE, AUDIT, ERASER, SQL, ACCESS},
    }
    seen: dict[str, str] = {}
    for kind, names in kinds.items():
        for name in names:
            if name in seen:
                raise SettingsError(
                    f"{name!r} is the name of a {seen[name]} and of a {kind}: rename one of them"
                )
            seen[name] = kind
    return tuple(sorted(seen))


def rights_of(project: Project) -> frozenset[Right]:
    """Every right that any principal of the project has."""
    return frozenset(
        {
            *registrar_rights(),
            *(right for each in project.products.values() for right in product_rights(each)),
            *(
                right
                for product in project.products.values()
                for port in product.inputs
                for right in input_rights(project, product, port)
            ),
            *(
                right
                for product in project.products.values()
                for port in product.outputs
                if port.contract.is_streamed
                for reader in project.readers_of(port.contract)
                if reader not in project.limited
                for right in reading(reader, port.contract.topic)
            ),
        }
    )


def product_rights(product: Product) -> Iterator[Right]:
    """What a product may do with its own topics."""
    if product.is_batch_only:
        return
    streamed = [each.contract for each in product.outputs if each.contract.is_streamed]
    own = [topic for each in streamed for topic in (each.topic, each.rejected_topic)]
    position = position_topic(product)
    for topic in (*own, position):
        yield from writing(product.id, topic)
        yield from reading(product.id, topic)
    yield from transacting(product.id, position)


def input_rights(project: Project, product: Product, port: InputPort) -> Iterator[Right]:
    """What an input port lets its product read, and its system write."""
    rejected = rejected_topic_of(project, product, port)
    for topic in (rejected, retry_topic_of(rejected)):
        yield from writing(product.id, topic)
        yield from reading(product.id, topic)
    for source in inputs_of(project, product, port):
        # Another's port is read by who its readers are.
        if source.contract.product == product.id:
            yield from reading(product.id, source.contract.topic)
        if port.system is not None:
            yield from feeding(port.system, source.contract)
        if port.is_own:
            yield from writing(product.id, source.contract.topic)
            yield from transacting(product.id, source.contract.topic)


def feeding(system: str, contract: Contract) -> Iterator[Right]:
    """What an operational system may do: fill its staging topic, and read it back."""
    position = feed_topic(contract)
    yield from writing(system, contract.topic)
    yield from reading(system, contract.topic)
    yield from writing(system, position)
    yield from reading(system, position)
    yield from transacting(system, position)


def registrar_rights() -> Iterator[Right]:
    """The registrar announces every schema that it registers."""
    yield from writing(REGISTRAR, SCHEMAS_TOPIC)


def access_rights(everybody: Iterable[str]) -> Iterator[Right]:
    """The access service writes who may read what; whoever has a door or asks reads it."""
    yield from writing(ACCESS, GRANTS_TOPIC)
    yield from reading(ACCESS, PRODUCTS_TOPIC)
    for principal in (ACCESS, CATALOGUE, REGISTRAR, SQL, *everybody):
        yield from reading(principal, GRANTS_TOPIC)


def audit_rights(topics: Iterable[str]) -> Iterator[Right]:
    """The audit service reads what is public, with how long it is kept, and writes nothing."""
    for topic in topics:
        if topic.startswith("pub."):
            yield from reading(AUDIT, topic)
            yield Right(principal=AUDIT, operation="DESCRIBE_CONFIGS", kind="topic", name=topic)


def sql_rights(topics: Iterable[str]) -> Iterator[Right]:
    """The SQL access point reads what products publish, and writes nothing."""
    for topic in topics:
        if topic.startswith("pub.") and not topic.startswith("pub.mesh."):
            yield from reading(SQL, topic)


def reading(principal: str, topic: str) -> Iterator[Right]:
    """Read a topic, in consumer groups named after the reader."""
    yield Right(principal=principal, operation="READ", kind="topic", name=topic)
    yield Right(principal=principal, operation="DESCRIBE", kind="topic", name=topic)
    yield Right(principal=principal, operation="READ", kind="group", name=f"{principal}.")


def writing(principal: str, topic: str) -> Iterator[Right]:
    """Write a topic."""
    yield Right(principal=principal, operation="WRITE", kind="topic", name=topic)
    yield Right(principal=principal, operation="DESCRIBE", kind="topic", name=topic)


def transacting(principal: str, transactional_id: str) -> Iterator[Right]:
    """Write in transactions of this id."""
    for operation in ("WRITE", "DESCRIBE"):
        yield Right(
            principal=principal,
            operation=operation,
            kind="transaction",
            name=transactional_id,
        )
