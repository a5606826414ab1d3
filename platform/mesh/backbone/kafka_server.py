"""One Kafka broker and controller (KRaft) on the loopback, secured, in a folder of its own.

The administrator comes in by SASL PLAIN with a password that is new at each start of the mesh and
stands only in `server.properties` (mode 600). Everyone else comes in by SCRAM-SHA-256 on the same
listener and may do what an ACL allows.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from mesh.backbone.jvm import Program
from mesh.home import write_private

__all__ = ["ADMIN", "ADMIN_MECHANISM", "KafkaServer", "kafka_program", "prepare"]

ADMIN = "admin"
ADMIN_MECHANISM = "PLAIN"

# 2 million messages of 200 bytes went through 256 MB with room to spare, and a larger heap
# neither starts nor writes faster here.
HEAP_MB = 256

PROPERTIES = "server.properties"

# Paths are relative to the folder, which is the working directory: a path of the user's may hold
# what a properties file would have to escape, or a comma, which would make two folders of it.
_TEMPLATE = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listeners=SASL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=SASL://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:SASL_PLAINTEXT,SASL:SASL_PLAINTEXT
inter.broker.listener.name=SASL
controller.quorum.voters=1@127.0.0.1:{controller_port}

sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl.plain.sasl.jaas.config={plain}
listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin}
allow.everyone.if.no.acl.found=false
auto.create.topics.enable=false

log.dirs=data
# Apart, because only then is its lock taken before the metadata log is opened: a second broker
# on the same folder fails at once instead of damaging the first one's.
metadata.log.dir=meta

offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# A killed relay's transaction holds its readers until it times out and this scan sees it.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
# An erasure waits for it, round by round; 15 s by default.
log.cleaner.backoff.ms=1000
# After a SIGKILL the restarted broker waits until its old session has ended: 9 s by default.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""
_PLAIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="{admin}" password="{secret}" user_{admin}="{secret}";'
)
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaServer:
    """Where a broker lives, listens, and what its administrator's password is."""

    folder: Path
    port: int
    controller_port: int
    secret: str = field(repr=False)


def kafka_program(jars: tuple[Path, ...]) -> Program:
    """The broker as a Java program; it reads `server.properties` in its working directory."""
    return Program(
        name="kafka",
        heap_mb=HEAP_MB,
        class_path=jars,
        main="kafka.Kafka",
        flags=("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",),
        arguments=(PROPERTIES,),
    )


def prepare(server: KafkaServer) -> None:
    """Write what the broker reads at its start, and format its folder the first time.

    Raises OSError where the folder cannot be written.
    """
    for name in ("data", "meta", "tmp"):
        (server.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    _format(server.folder)
    text = _TEMPLATE.format(
        port=server.port,
        controller_port=server.controller_port,
        admin=ADMIN,
        plain=_PLAIN.format(admin=ADMIN, secret=server.secret),
        scram=_SCRAM,
    )
    write_private(server.folder / PROPERTIES, text)


def _format(folder: Path) -> None:
    """Write `meta.properties`, which is all that Kafka's StorageTool would do here in 2 s.

    Both folders need one: the same cluster, another directory.
    """
    files = [folder / name / "meta.properties" for name in ("meta", "data")]
    cluster = next((found for file in files if (found := _cluster(file))), None) or _new_id()
    for file in files:
        if _cluster(file) is None:
            write_private(
                file,
                f"version=1\ncluster.id={cluster}\nnode.id=1\ndirectory.id={_new_id()}\n",
            )


def _cluster(file: Path) -> str | None:
    if not file.exists():
        return None
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return lines.get("cluster.id")


def _new_id() -> str:
    """Kafka's form of a UUID: 22 characters of base64url, never with `-` in front."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text
