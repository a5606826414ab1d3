"""Which public topics there are, with the id that Kafka gave each.

All public topics that the broker lets us see: what may be read is settled by rights, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient, ConfigResource

from mesh.backbone.admin import kafka_error, translated
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import Unreachable

__all__ = ["Found", "Topics"]

TIMEOUT_S = 15.0
GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A topic as it is now; one that is made anew has another *id*."""

    id: bytes
    partitions: int


class Topics:
    """What *principal* sees of a Kafka."""

    def __init__(self, endpoint: Endpoint, principal: Principal) -> None:
        self._client = AdminClient({**endpoint.client(principal), "log_level": 0})

    def look(self) -> Mapping[str, Found]:
        """Every public topic, by its name. Raises a `BackboneError`."""
        metadata = translated(lambda: self._client.list_topics(timeout=TIMEOUT_S), "list topics")
        return self.described(sorted(name for name in metadata.topics if name.startswith("pub.")))

    def described(self, names: list[str]) -> Mapping[str, Found]:
        """Those of the topics *names* that are there. Raises a `BackboneError`."""
        if not names:
            return {}
        futures = self._client.describe_topics(TopicCollection(names), request_timeout=TIMEOUT_S)
        found = {}
        for name, future in futures.items():
            try:
                topic = future.result(timeout=2 * TIMEOUT_S)
            except KafkaException as exception:
                error = exception.args[0]
                if error.code() not in GONE:
                    raise kafka_error(error, f"describe {name}") from exception
            except TimeoutError as error:
                raise Unreachable(f"Kafka did not describe {name} in time") from error
            else:
                partitions = len(topic.partitions)
                found[name] = Found(id=id_of(topic.topic_id), partitions=partitions)
        return found

    def configs(self, names: list[str]) -> Mapping[str, Mapping[str, str]]:
        """The settings of the topics *names*. Raises a `BackboneError`."""
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, each) for each in names]
        futures = self._client.describe_configs(resources, request_timeout=TIMEOUT_S)
        found = {}
        for resource, future in futures.items():
            name = str(resource.name)
            entries = translated(partial(future.result, 2 * TIMEOUT_S), f"describe {name}")
            found[name] = {each: str(entry.value) for each, entry in entries.items()}
        return found


def id_of(uuid: Uuid) -> bytes:
    """The sixteen bytes of an id, which the client has as two signed numbers."""
    # The client's annotations leave both out.
    high = uuid.get_most_significant_bits()  # type: ignore[attr-defined]
    halves = (high, uuid.get_least_significant_bits())  # type: ignore[attr-defined]
    return b"".join((each % (1 << 64)).to_bytes(8, "big") for each in halves)
