"""How a port is read: commands and snippets that work as they are pasted.

Only ways that exist are shown: a door that does not answer has none. A test runs each.
Not here: who may read (`access`), where a product's door is (`catalog.shelf`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.contract.model import Contract
from mesh.contract.project import Project

__all__ = ["Way", "reader_of", "ways_to"]

# Ports that are topics.
STREAMS: Sequence[str] = ("event", "state")
INPUT_PORT = """\
inputPorts:
  - name: {port}
    version: {version}
    contractId: {contract}
"""
# For a person's own program: an address, a login, a schema; nothing of ours is imported.
KAFKA = """\
python3 - <<'END'
import io, json, os, pathlib, urllib.request
import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

WHO, TOPIC = {who}, {topic}
given, home = os.environ, pathlib.Path(os.environ.get("MESH_HOME", ".mesh"))
found = home / "run" / "endpoint.json"  # of a mesh that brings its own Kafka
place = json.loads(found.read_text()) if found.exists() else {{}}
registry = given.get("MESH_REGISTRY_URL") or place["registry_url"]
consumer = Consumer({{
    "bootstrap.servers": given.get("MESH_BOOTSTRAP_SERVERS") or place["bootstrap_servers"],
    "security.protocol": given.get("MESH_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
    "sasl.mechanism": given.get("MESH_SASL_MECHANISM", "SCRAM-SHA-256"),
    "sasl.username": WHO,
    "sasl.password": (home / "principals" / WHO / "secret").read_text().strip(),
    "group.id": f"{{WHO}}.look", "enable.auto.commit": False, "isolation.level": "read_committed",
}})
parts = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
consumer.assign([TopicPartition(TOPIC, each, OFFSET_BEGINNING) for each in parts])
schemas = {{}}
shown = 0
while shown < 5 and (message := consumer.poll(10)):
    if message.error():
        raise SystemExit(message.error())
    if not message.value():
        continue  # a tombstone: the key is gone
    shown += 1
    number = int.from_bytes(message.value()[1:5], "big")
    if number not in schemas:
        with urllib.request.urlopen(f"{{registry}}/schemas/ids/{{number}}") as answer:
            schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    print(fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schemas[number], None))
consumer.close()
END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the rows; *needs* says what must be so before it works."""

    name: str
    title: str
    needs: str
    language: str
    text: str


def ways_to(
    contract: Contract, port: str, project: Project, *, address: str | None
) -> Sequence[Way]:
    """The ways to the rows of an output port, the simplest first."""
    who = reader_of(contract, project)
    ways = []
    if who is not None and address is not None:
        ways += [by_command(contract, who), over_http(port, who, address)]
        ways.append(as_file(contract, port, who))
    if contract.kind not in STREAMS:
        return ways
    if who is not None:
        ways.append(from_kafka(contract, who))
    return [*ways, as_input(contract, port)]


def reader_of(contract: Contract, project: Project) -> str | None:
    """A person who may read the port, as whom the commands speak."""
    people = [each for each in project.readers_of(contract) if each in project.people]
    owners = project.owners_of(contract.product)
    return next((each for each in people if each not in owners), next(iter(people), None))


def by_command(contract: Contract, who: str) -> Way:
    """`mesh read`."""
    command = f"mesh read {shlex.quote(contract.id)} --limit 5 --as {shlex.quote(who)}\n"
    needs = f"{who} was granted the port"
    return Way(name="command", title="Command line", needs=needs, language="console", text=command)


def over_http(port: str, who: str, address: str) -> Way:
    """`curl` at the product's own door."""
    url = shlex.quote(f"{address}/ports/{port}/rows?limit=5")
    token = f'-H "Authorization: Bearer $(mesh token --as {shlex.quote(who)})"'
    needs = f"{who} was granted the port; the address is that of now"
    text = f"curl --fail --silent --show-error {token} {url}\n"
    return Way(name="http", title="HTTP", needs=needs, language="console", text=text)


def as_file(contract: Contract, port: str, who: str) -> Way:
    """Every row, as a file that any engine reads."""
    file = shlex.quote(f"{port}.parquet")
    command = f"mesh read {shlex.quote(contract.id)} --all --as {shlex.quote(who)} --out {file}\n"
    needs = f"{who} was granted the port"
    return Way(name="file", title="Parquet file", needs=needs, language="console", text=command)


def from_kafka(contract: Contract, who: str) -> Way:
    """A consumer that imports nothing of the mesh."""
    text = KAFKA.format(who=repr(who), topic=repr(contract.topic))
    needs = "confluent-kafka and fastavro are installed, and the mesh's state folder is at hand"
    return Way(name="kafka", title="Kafka", needs=needs, language="console", text=text)


def as_input(contract: Contract, port: str) -> Way:
    """The lines of another product's descriptor."""
    text = INPUT_PORT.format(port=port, version=contract.version, contract=contract.id)
    needs = "they stand in the product.yaml of the product that reads"
    return Way(
        name="input", title="Input port of a product", needs=needs, language="yaml", text=text
    )
