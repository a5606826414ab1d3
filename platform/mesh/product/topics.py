"""The ids by which Kafka tells a topic from an earlier one of the same name."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from mesh.backbone.admin import translated
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.product.plan import Plan, position_topic

__all__ = ["topic_ids", "topics_of"]

TIMEOUT_S = 15.0


def topic_ids(endpoint: Endpoint, principal: Principal, topics: Sequence[str]) -> dict[str, str]:
    """The id of each of *topics*, which *principal* may read or write.

    Raises a `BackboneError` where one is not there, or Kafka is away.
    """
    client = AdminClient(endpoint.client(principal))
    futures = client.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT_S)
    return {
        name: str(translated(future.result, f"describe {name}").topic_id)
        for name, future in futures.items()
    }


def topics_of(plan: Plan) -> list[str]:
    """The topics that the bookkeeping of a product's storage is about."""
    contracts = [each.contract for each in (*plan.inputs, *plan.outputs)]
    retries = [each.retry_topic for each in plan.replayable]
    return [position_topic(plan.product), *(each.topic for each in contracts), *retries]
