"""Makes what a project needs on a backbone: principals, rights, topics, schemas.

Idempotent. What stands there and is not what its contract says is reported, never mended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

from mesh.backbone.admin import Admin, Right
from mesh.backbone.bus import Bus
from mesh.backbone.endpoint import Principal
from mesh.backbone.topics import (
    COMPACTION_LAG_MS,
    Difference,
    Topic,
    rejected_topic,
    retry_topic,
    single_topic,
    topic_of,
)
from mesh.contract.access import GRANT_SCHEMA, GRANTS_TOPIC, accesses, decisions
from mesh.contract.audit import ERASURES_TOPIC
from mesh.contract.names import TopicName, parse_topic
from mesh.contract.project import Project
from mesh.control.erasing import erasing_rights
from mesh.control.joined import (
    catalogue_rights,
    catalogue_topics,
    describers,
    joined_principals,
)
from mesh.control.principals import (
    REGISTRAR,
    SCHEMAS_TOPIC,
    access_rights,
    audit_rights,
    principals_of,
    rights_of,
    sql_rights,
)
from mesh.control.registrar import register, rejected_topics, require_compatible
from mesh.control.tokens import make_keys
from mesh.home import Home
from mesh.product.feed import feed_topic
from mesh.product.masked import is_hashed
from mesh.product.plan import position_topic, rejected_topic_of, retry_topic_of

__all__ = ["Provisioned", "make_secrets", "provision", "rejected_of", "settle", "topics_of"]

Report = Callable[[str], None]
NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What was made, what stands there and differs, and what no contract promises any more.

    *left* has each such topic with those who may read it still.
    """

    made_topics: tuple[str, ...]
    registered: tuple[str, ...]
    differences: tuple[Difference, ...]
    left: Mapping[str, Sequence[str]]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever starts the mesh should know."""
        return (*map(str, self.differences), *(words(*each) for each in self.left.items()))


def words(topic: str, readers: Sequence[str]) -> str:
    """What is to be said of a topic whose port is gone."""
    if readers:
        return f"{topic} is promised no more, and stays: {', '.join(readers)} may read it still"
    return f"{topic} is promised no more: `mesh retire {topic}` removes it"


def provision(
    project: Project,
    home: Home,
    admin: Admin,
    *,
    replication: int,
    report: Report,
    knows_all: bool = False,
) -> Provisioned:
    """Make users, rights, topics and schemas of *project*.

    Of who joined, *project* *knows_all* descriptors, or what they may do already stays.
    Raises `SchemaIncompatible` where a contract would break its readers, before anything is made,
    and a `BackboneError` where Kafka or the registry refuses or is away.
    """
    report("sure that no contract breaks its readers")
    require_compatible(project, admin.endpoint)
    report("principals and rights")
    joined = joined_principals(home)  # once: who joins from now on waits for the next time
    admin.make_users(principals := make_secrets(project, home, joined))
    project = as_decided(project, admin, registrar := registrar_of(home))
    described = describers(project, joined)
    topics = [*topics_of(project, described)]
    rights = all_rights(project, described, topics)
    settled = [each.name for each in principals if knows_all or each.name not in joined]
    is_spared = partial(is_topic_of, {} if knows_all else joined)
    admin.settle_rights(rights, settled, is_spared)
    report("topics")
    made = admin.make_topics(topics, replication)
    left = {each: admin.readers_of(each) for each in left_topics(project, topics, admin)}
    if free := freed(left):
        admin.settle_rights({*rights, *free}, settled, is_spared)
    report("schemas")
    registered = register(project, described, admin.endpoint, registrar)
    differs = tuple(admin.differences(topics))
    return Provisioned(
        made_topics=tuple(made), registered=tuple(registered), differences=differs, left=left
    )


def registrar_of(home: Home) -> Principal:
    """Who registers schemas and sees what owners and the catalogue have said."""
    return Principal(name=REGISTRAR, secret=home.secret(REGISTRAR))


def settle(project: Project, home: Home, admin: Admin, principals: Iterable[str]) -> None:
    """Make the rights of *principals* those that they have in *project*, which knows everybody."""
    described = describers(project, joined_principals(home))
    rights = all_rights(project, described, topics_of(project, described))
    # What it may delete is settled by whoever provisions.
    admin.settle_rights(rights, {*principals} - {REGISTRAR})


def as_decided(project: Project, admin: Admin, registrar: Principal) -> Project:
    """*project* with what owners have said until now of who may read."""
    if GRANTS_TOPIC not in admin.topic_partitions():
        return project
    bus = Bus(admin.endpoint, registrar, {GRANTS_TOPIC: GRANT_SCHEMA})
    newest = {key: record for key, record, _, _ in bus.whole(GRANTS_TOPIC)}
    records = {key: record for key, record in newest.items() if record is not None}
    return replace(project, decided=decisions(accesses(records).values(), datetime.now(UTC)))


def is_topic_of(products: Collection[str], name: str) -> bool:
    """Whether *name* is a topic of one of *products*: whoever reads it already goes on."""
    found = parse_topic(name)
    return found is not None and found.product in products


def all_rights(
    project: Project, described: Mapping[str, str], topics: Iterable[Topic]
) -> frozenset[Right]:
    """Every right that the project's and the mesh's own principals have."""
    names = [each.name for each in topics]
    return rights_of(project).union(
        catalogue_rights(described, project.people),
        access_rights([*described, *project.people]),
        audit_rights(names),
        sql_rights(names),
        erasing_rights(project),
    )


def left_topics(project: Project, topics: Iterable[Topic], admin: Admin) -> Iterator[str]:
    """Topics of the project's products that are there, and that no contract asks for."""
    wanted = {each.name for each in topics}
    for name in sorted(set(admin.topic_partitions()) - wanted):
        found = parse_topic(name)
        product = project.products.get(found.product) if found else None
        if found and product and product.domain == found.domain:
            yield name


def freed(left: Mapping[str, Sequence[str]]) -> list[Right]:
    """What the registrar may do with those of the topics *left* that nobody reads."""
    return [right for each, readers in left.items() if not readers for right in deleting(each)]


def deleting(topic: str) -> Iterator[Right]:
    """What the registrar may do with a topic that nobody reads."""
    name = parse_topic(topic)
    for each in (topic, rejected_of(name)) if name else ():
        yield Right(principal=REGISTRAR, operation="DELETE", kind="topic", name=each)


def rejected_of(name: TopicName) -> str:
    """Where rows went that broke the contract of a topic."""
    return f"priv.{name.domain}.{name.product}.{name.port}.rejected.v{name.major}"


def make_secrets(project: Project, home: Home, joined: Mapping[str, str]) -> tuple[Principal, ...]:
    """A secret for every principal, the keys of tokens, and the key by which products hash."""
    principals = tuple(
        Principal(name=name, secret=home.make_secret(name))
        for name in sorted({*principals_of(project), *joined})
    )
    make_keys(home, principals)
    hashed = (each for each in project.contracts.values() if is_hashed(each))
    home.make_mask_key(sorted({each.product for each in hashed}))
    return principals


def topics_of(project: Project, joined: Mapping[str, str] = NOBODY) -> Iterator[Topic]:
    """Every topic of the project, and the descriptor topics of those who *joined*."""
    yield Topic(
        name=SCHEMAS_TOPIC,
        partitions=1,
        config={"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"},
    )
    yield Topic(
        name=ERASURES_TOPIC,
        partitions=1,
        config={
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "message.timestamp.type": "LogAppendTime",
        },
    )
    yield Topic(
        name=GRANTS_TOPIC,
        partitions=1,
        config={
            "cleanup.policy": "compact",
            "message.timestamp.type": "LogAppendTime",
            # Each act is read by the audit log before it is compacted away.
            "min.compaction.lag.ms": str(COMPACTION_LAG_MS),
        },
    )
    yield from catalogue_topics(describers(project, joined))
    for product in project.products.values():
        if not product.is_batch_only:
            yield single_topic(position_topic(product))
        for contract in (each for each in product.contracts if each.is_streamed):
            yield topic_of(contract)
        for name in rejected_topics(project, product):
            yield rejected_topic(name)
        for port in product.inputs:
            yield retry_topic(retry_topic_of(rejected_topic_of(project, product, port)))
            if port.system is not None:
                yield single_topic(feed_topic(project.input_contract(port)))
