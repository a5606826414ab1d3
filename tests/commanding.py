"""A client of a product that takes commands, and readers that watch what becomes of them."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.life import Mesh

__all__ = ["Client", "holders", "seen_on", "watching"]

PRODUCT, PORT = "contracts", "phone-number-contract"
Statements = Mapping[str, Mapping[str, Any]]


@dataclass(kw_only=True)
class Client:
    """One person at the door of `contracts`."""

    mesh: Mesh
    name: str = "linus"
    _token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        if not self._token:
            self._token = self.mesh.run("token", "--as", self.name).strip()
        return {"Authorization": f"Bearer {self._token}"}

    @property
    def address(self) -> str:
        """The door, which is another one after a restart."""
        return str(json.loads((self.mesh.home / "run" / f"{PRODUCT}.json").read_text())["address"])

    def command(self, name: str, key: str | None = None, **body: Any) -> httpx.Response:
        """Send a command, with a new key where there is none."""
        headers = {**self.headers, "Idempotency-Key": key or str(uuid.uuid4())}
        url = f"{self.address}/commands/{name}"
        return httpx.post(url, json=body, headers=headers, timeout=30)

    def accepted(self, name: str, **body: Any) -> dict[str, Any]:
        """The answer to a command that must be accepted."""
        answer = self.command(name, **body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until_accepted(self, name: str, key: str, **body: Any) -> dict[str, Any]:
        """The answer, sent again and again while nobody answers or nobody knows."""
        for _ in range(600):
            with suppress(httpx.HTTPError, OSError, ValueError):
                answer = self.command(name, key, **body)
                if answer.status_code == 200:
                    return dict(answer.json())
                assert answer.status_code == 503, answer.text
            threading.Event().wait(0.1)
        raise AssertionError(f"{name} was not accepted: {self.mesh.log(PRODUCT)}")

    def rows(
        self, port: str, after: Mapping[str, Any] | None = None, **where: str
    ) -> list[dict[str, Any]]:
        """Rows of a port; of *after*, an answer, all that follows from it too."""
        url = f"{self.address}/ports/{port}/rows"
        seen = {} if after is None else {"Mesh-At-Least": json.dumps(after["offsets"])}
        params = {"limit": "10000", **where}
        answer = httpx.get(url, params=params, headers={**self.headers, **seen}, timeout=30)
        found = answer.raise_for_status().json()
        return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def holders(statements: Statements) -> set[str]:
    """The contracts that have a number by the newest statement of each link."""
    newest: dict[str, Mapping[str, Any]] = {}
    for each in sorted(statements.values(), key=lambda one: int(one["revision"])):
        newest[each["link_id"]] = each
    return {each["to_id"] for each in newest.values() if each["valid_to"] is None}


def revised(row: Mapping[str, Any]) -> dict[str, Any]:
    """A statement with its revision, which its id names."""
    rest = str(row["statement_id"]).removeprefix(f"{row['link_id']}-")
    return {**row, "revision": int(rest.partition("-")[0])}


@contextmanager
def watching(look: Callable[[], set[str] | None]) -> Iterator[list[set[str]]]:
    """Have a reader *look* again and again for the time of a block; what it has seen."""
    seen: list[set[str]] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            # A product that was killed does not answer for a while.
            with suppress(httpx.HTTPError, OSError, ValueError):
                found = look()
                if found is not None:
                    seen.append(found)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def at_the_door(client: Client, number: str) -> Callable[[], set[str]]:
    """Who has *number*, as the product's door says."""

    def look() -> set[str]:
        rows = [revised(row) for row in client.rows(PORT, from_id=number)]
        return holders({row["statement_id"]: row for row in rows})

    return look


def seen_on(
    consumer: Consumer, topic: str, number: str, decoded: Callable[[Any], list[Any]]
) -> Callable[[], set[str] | None]:
    """Who has *number*, as a reader of the topic knows whenever it has read to the end."""
    consumer.assign([TopicPartition(topic, 0, 0)])
    statements: dict[str, dict[str, Any]] = {}

    def look() -> set[str] | None:
        message = consumer.poll(0.1)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error.str()
            return holders(statements)
        (row,) = decoded([message])
        if row["from_id"] == number:
            statements[row["statement_id"]] = revised(row)
        return None

    return look
