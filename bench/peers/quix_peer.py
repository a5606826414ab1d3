"""quixstreams: a batching sink into DuckDB, and a hop from topic to topic, exactly once.

Runs in an environment of its own, with one JSON document as its input; prints the seconds from
the first message to the last.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import duckdb
import pyarrow as pa
from quixstreams import Application
from quixstreams.kafka import ConnectionConfig
from quixstreams.models import SchemaRegistryClientConfig
from quixstreams.models.serializers.avro import AvroDeserializer, AvroSerializer
from quixstreams.sinks import BatchingSink, SinkBatch

IDLE_S = 3.0


class DuckSink(BatchingSink):
    """Inserts each batch that quixstreams gives it in one transaction."""

    def __init__(self, path: str, table: str) -> None:
        super().__init__()
        self.storage = duckdb.connect(path)
        self.storage.execute(table)
        self.clock = Clock()

    def write(self, batch: SinkBatch) -> None:
        """Insert one partition's batch."""
        self.clock.start()
        rows = pa.Table.from_pylist([each.value for each in batch])
        self.storage.execute("begin")
        self.storage.register("batch", rows)
        self.storage.execute("insert into kept by name select * from batch")
        self.storage.unregister("batch")
        self.storage.execute("commit")
        self.clock.stop()


class Clock:
    """From the first call of `start` to the last of `stop`."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0

    def start(self) -> None:
        """The first one counts."""
        self.began = self.began or time.perf_counter()

    def stop(self) -> None:
        """The last one counts."""
        self.ended = time.perf_counter()


def application(task: dict[str, Any], **more: Any) -> Application:
    """An application on the mesh's Kafka."""
    client = task["client"]
    return Application(
        ConnectionConfig(
            bootstrap_servers=client["bootstrap.servers"],
            security_protocol=client["security.protocol"].lower(),
            sasl_mechanism=client["sasl.mechanism"],
            sasl_username=client["sasl.username"],
            sasl_password=client["sasl.password"],
        ),
        consumer_group=task["group"],
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel=logging.ERROR,
        **more,
    )


def deserializer(task: dict[str, Any]) -> AvroDeserializer:
    """Reads the Confluent wire format."""
    return AvroDeserializer(
        schema_registry_client_config=SchemaRegistryClientConfig(url=task["registry"])
    )


def ingest(task: dict[str, Any]) -> dict[str, float]:
    """Topic into DuckDB, commits every BATCH messages."""
    app = application(task, commit_every=task["batch"], commit_interval=60)
    topic = app.topic(task["topic"], value_deserializer=deserializer(task))
    sink = DuckSink(task["path"], task["table"])
    frame = app.dataframe(topic)
    frame = frame.update(lambda _: sink.clock.start())
    frame.sink(sink)
    app.run(count=task["count"], timeout=IDLE_S)
    return {"seconds": sink.clock.ended - sink.clock.began}


def hop(task: dict[str, Any]) -> dict[str, float]:
    """Filter and project from topic to topic, exactly once."""
    app = application(
        task,
        commit_every=task["batch"],
        commit_interval=60,
        processing_guarantee="exactly-once",
        producer_extra_config={"compression.type": "lz4"},
    )
    came = app.topic(task["topic"], value_deserializer=deserializer(task))
    said = app.topic(
        task["to"],
        value_serializer=AvroSerializer(
            schema=task["to_schema"],
            schema_registry_client_config=SchemaRegistryClientConfig(url=task["registry"]),
        ),
    )
    clock = Clock()
    frame = app.dataframe(came)
    frame = frame.update(lambda _: clock.start())
    frame = frame.filter(lambda row: row["ended_at"] >= row["started_at"])
    frame = frame.apply(
        lambda row: {
            **row,
            "duration_s": int((row["ended_at"] - row["started_at"]).total_seconds()),
        }
    )
    frame = frame.to_topic(said)
    frame = frame.update(lambda _: clock.stop())
    app.run(count=task["count"], timeout=IDLE_S)
    # The last transaction is committed when `run` ends.
    return {"seconds": clock.ended - clock.began}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.stdout.write(json.dumps({"ingest": ingest, "hop": hop}[asked["do"]](asked)) + "\n")
