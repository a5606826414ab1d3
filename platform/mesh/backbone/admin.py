"""The administrator's hand on Kafka: users, rights, topics. Everything here is idempotent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.topics import Difference, Topic
from mesh.errors import BackboneError, NotGranted, Refused, Unreachable

__all__ = ["Admin", "Operation", "Right", "translated", "wait"]

TIMEOUT_S = 30.0
# RFC 5802 asks for at least 4,096; the secrets have 256 random bits, so more buys nothing.
SCRAM_ITERATIONS = 4096

Kind = Literal["topic", "transaction", "group"]
Operation = Literal["READ", "WRITE", "DESCRIBE", "DELETE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Right:
    """One thing that a principal may do. A group is a prefix, all else a literal name."""

    principal: str
    operation: Operation
    kind: Kind
    name: str

    def binding(self) -> AclBinding:
        """The right as Kafka's authorizer keeps it."""
        resource = {
            "topic": ResourceType.TOPIC,
            "transaction": ResourceType.TRANSACTIONAL_ID,
            "group": ResourceType.GROUP,
        }[self.kind]
        pattern = ResourcePatternType.PREFIXED if self.kind == "group" else None
        return AclBinding(
            resource,
            self.name,
            pattern or ResourcePatternType.LITERAL,
            f"User:{self.principal}",
            "*",
            AclOperation[self.operation],
            AclPermissionType.ALLOW,
        )


class Admin:
    """The administrator of one Kafka cluster."""

    def __init__(self, endpoint: Endpoint, admin: Principal, mechanism: str | None = None) -> None:
        self.endpoint = endpoint
        self._client = AdminClient({**endpoint.client(admin, mechanism), "log_level": 0})

    def make_users(self, principals: Iterable[Principal]) -> None:
        """Give each principal its SCRAM credentials, replacing those it had."""
        mechanism = ScramMechanism.SCRAM_SHA_256
        if self.endpoint.sasl_mechanism == "SCRAM-SHA-512":
            mechanism = ScramMechanism.SCRAM_SHA_512
        upsertions: list[Any] = [
            UserScramCredentialUpsertion(
                each.name, ScramCredentialInfo(mechanism, SCRAM_ITERATIONS), each.secret.encode()
            )
            for each in principals
        ]
        for future in self._client.alter_user_scram_credentials(upsertions).values():
            wait(future, "make the users")

    def settle_rights(
        self,
        rights: Iterable[Right],
        principals: Iterable[str],
        is_spared: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Make *rights* the only ones that *principals* have, but for names that are spared."""
        wanted = {right.binding() for right in rights}
        ours = {f"User:{name}" for name in principals}
        anything: Any = None  # the client's word for "any", which its annotations leave out
        every = AclBindingFilter(
            ResourceType.ANY,
            anything,
            ResourcePatternType.ANY,
            anything,
            anything,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        found = {
            each
            for each in wait(self._client.describe_acls(every), "list the rights")
            if each.principal in ours
        }
        missing = sorted(wanted - found, key=str)
        # Kafka's client refuses an empty list, here and below.
        for future in self._client.create_acls(missing).values() if missing else ():
            wait(future, "grant rights")
        outdated = [as_filter(each) for each in found - wanted if not is_spared(each.name)]
        for future in self._client.delete_acls(outdated).values() if outdated else ():
            wait(future, "withdraw rights")

    def make_topics(self, topics: Iterable[Topic], replication: int) -> list[str]:
        """Make the topics that are missing; the names of those made."""
        there = self.topic_partitions()
        # Each once: asked for the same topic twice, the client's C code crashes the process.
        wanted = {each.name: each for each in topics}
        missing = [each for each in wanted.values() if each.name not in there]
        futures = (
            self._client.create_topics(
                [
                    NewTopic(each.name, each.partitions, replication, config=dict(each.config))
                    for each in missing
                ]
                or []
            )
            if missing
            else {}
        )
        for name, future in futures.items():
            wait(future, f"make the topic {name}")
        return [each.name for each in missing]

    def readers_of(self, topic: str) -> list[str]:
        """The principals whom the broker lets read *topic*."""
        anything: Any = None  # as above
        readers = AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            anything,
            anything,
            AclOperation.READ,
            AclPermissionType.ALLOW,
        )
        found = wait(self._client.describe_acls(readers), "list the rights")
        return sorted({each.principal.removeprefix("User:") for each in found})

    def remove_topic(self, topic: str) -> None:
        """Delete *topic* and all that is on it."""
        for future in self._client.delete_topics([topic]).values():
            wait(future, f"delete the topic {topic}")

    def differences(self, topics: Iterable[Topic]) -> list[Difference]:
        """Where a topic that stands there is not what its contract says."""
        there = self.topic_partitions()
        wanted = [each for each in topics if each.name in there]
        if not wanted:
            return []
        resources = [ConfigResource(ConfigResource.Type.TOPIC, each.name) for each in wanted]
        futures = self._client.describe_configs(resources)
        found: list[Difference] = []
        for topic, future in zip(wanted, futures.values(), strict=True):
            config = {
                name: str(entry.value)
                for name, entry in wait(future, f"describe {topic.name}").items()
            }
            found += topic.differences(there[topic.name], config)
        return found

    def topic_partitions(self) -> Mapping[str, int]:
        """Every topic of the cluster with its number of partitions."""
        metadata = translated(lambda: self._client.list_topics(timeout=TIMEOUT_S), "list topics")
        return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def as_filter(binding: AclBinding) -> AclBindingFilter:
    """The filter that meets exactly this binding."""
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def wait(future: Future[T], what: str) -> T:
    """The result of an administrator's request."""
    return translated(lambda: future.result(timeout=TIMEOUT_S), what)


def translated(action: Callable[[], T], what: str) -> T:
    """Do *action*; a Kafka exception becomes one of our tree."""
    try:
        return action()
    except KafkaException as exception:
        error = exception.args[0]
        raise kafka_error(error, what) from exception
    except TimeoutError as error:
        raise Unreachable(f"Kafka did not {what} within {TIMEOUT_S:.0f} s") from error


REFUSALS = frozenset(
    {
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
    }
)
ABSENCES = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT})


def stops_client(error: KafkaError) -> bool:
    """Whether an error stops a whole client; it goes on by itself from all else."""
    lasting = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION)
    return bool(error.fatal()) or error.code() in lasting


def kafka_error(error: KafkaError, what: str) -> BackboneError:
    """The error of our tree for one of librdkafka's."""
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return NotGranted(f"Kafka refused to {what}: {error.str()}")
    if error.code() in REFUSALS:
        return Refused(f"Kafka refused to {what}: {error.str()}")
    if error.code() in ABSENCES:
        return Unreachable(f"Kafka does not answer ({error.str()}): is it running?")
    return BackboneError(f"Kafka could not {what}: {error.str()}")
