"""A desk where access is granted, in memory; and what one principal may read of a real mesh."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from confluent_kafka import Consumer, KafkaError, TopicPartition

from mesh.contract.access import Access
from mesh.contract.catalogue import PAGES
from mesh.contract.project import Project
from mesh.control.granting import GrantDesk
from mesh.settings import Settings
from mesh.sql.limits import missing
from mesh.testing import Workbench
from mesh.wiring.access import run_access
from mesh.wiring.granted import Granted
from tests.life import wait_until

__all__ = ["CALLS", "DAY", "NOON", "PURPOSE", "Desk", "Reader", "open_access"]

CALLS, NOON = "call-center.calls", datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PURPOSE = "Count the calls."


class Desk:
    """A desk over a book in memory, and a clock that tests move."""

    def __init__(self, project: Project) -> None:
        self.now = NOON
        self.book = Granted(project, lambda: self.now)
        self.book.take({})
        self.acts: dict[str, Access] = {}
        known = {*project.products, *project.people}
        self.desk = GrantDesk(self.book, self._write, lambda: known, lambda: self.now)

    def _write(self, act: Access) -> None:
        self.acts = {**self.acts, act.key: act}
        self.book.take(self.acts)

    def grant(
        self, principal: str = "mallory", by: str = "grace", for_: timedelta | None = None
    ) -> Access:
        until = None if for_ is None else self.now + for_
        given = Access(
            port=CALLS, principal=principal, state="granted", purpose="", by=by, until=until
        )
        return self.desk.grant(given)

    def may_read(self, principal: str) -> bool:
        self.book.look_at_the_clock()
        return principal in self.book.readers_of(self.book.files.contract(CALLS))


class Reader:
    """What one principal gets, at Kafka and at each door."""

    def __init__(self, bench: Workbench, name: str) -> None:
        self.bench, self.name = bench, name
        self.topic = bench.contract(CALLS).topic

    @property
    def table(self) -> str:
        """The calls in SQL; a bench has domains of its own."""
        return f"{self.topic.split('.')[1].replace('-', '_')}.call_center.calls"

    def of_kafka(self) -> bool:
        """Whether Kafka hands out a message to a consumer that starts now."""
        consumer = self.consumer()
        try:
            # Who may not even see the topic is told nothing when it fetches.
            error = consumer.list_topics(self.topic, 10).topics[self.topic].error
            assert error is None or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            return error is None and self.next_of(consumer) is not None
        finally:
            consumer.close()

    def consumer(self) -> Consumer:
        config = {
            **self.bench.backbone.endpoint.client(self.bench.principal(self.name)),
            "group.id": f"{self.name}.tests",
            "enable.auto.commit": False,
        }
        found = Consumer(config)
        partitions = range(self.bench.contract(CALLS).partitions)
        found.assign([TopicPartition(self.topic, each, 0) for each in partitions])
        return found

    def next_of(self, consumer: Consumer, timeout_s: float = 10) -> bytes | None:
        """The next message's key, or None where Kafka refuses it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = consumer.poll(0.2)
            error = None if message is None else message.error()
            if message is not None and error is None:
                return message.key()
            if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return None
        return None

    def of_door(self) -> bool:
        return self.of("call-center", "/ports/calls/rows?limit=1")

    def of_audit(self) -> bool:
        return self.of("audit", f"/state/{CALLS}?format=json")

    def of_sql(self) -> bool:
        if missing():  # nobody is answered on this machine
            return self.of_door()
        url, headers = f"{self.address('sql')}/sql", self.login("sql")
        response = httpx.post(url, content=f"select 1 from {self.table} limit 1", headers=headers)
        # What ran while the right was lost is ended; whoever asks again is told what holds.
        is_settled = "rights have changed" not in response.text
        is_known = response.status_code == 200 or "does not exist" in response.text
        assert is_known or not is_settled, response.text
        return response.status_code == 200 or not is_settled

    def of(self, service: str, path: str) -> bool:
        """Whether a service answers; only a refusal is a no."""
        response = httpx.get(f"{self.address(service)}{path}", headers=self.login(service))
        assert response.status_code in (200, 403), response.text
        return response.status_code == 200

    def act(self, verb: str, **body: object) -> httpx.Response:
        url = f"{self.address('access')}/access/{verb}"
        return httpx.post(url, json={"port": CALLS, **body}, headers=self.login("access"))

    def form(self, path: str, **fields: str) -> httpx.Response:
        """What a page of the catalogue answers to a form, as JSON."""
        url = f"{self.address('catalogue')}{path}"
        return httpx.post(url, data=fields, headers=self.login(PAGES), timeout=60)

    def readers(self) -> list[str]:
        """Who was granted the calls, as the page of their product says."""
        product = httpx.get(f"{self.address('catalogue')}/products/call-center").json()
        (port,) = [each for each in product["ports"] if each["contract"] == CALLS]
        return [*port["people"], *port["readers"]]

    def accesses(self) -> list[tuple[str, str]]:
        """Principal and state of each access to the calls."""
        found = httpx.get(f"{self.address('access')}/access", headers=self.login("access")).json()
        return [(each["principal"], each["state"]) for each in found if each["port"] == CALLS]

    def login(self, service: str) -> dict[str, str]:
        secret = self.bench.principal(self.name).secret
        url = f"{self.address('access')}/token?for={service}"
        token = httpx.post(url, auth=(self.name, secret)).json()["token"]
        return {"Authorization": f"Bearer {token}"}

    def address(self, service: str) -> str:
        found = self.bench.home.address(service)
        assert found is not None
        return found

    def everywhere(self) -> set[bool]:
        return {self.of_kafka(), self.of_door(), self.of_audit(), self.of_sql()}


@contextmanager
def open_access(bench: Workbench) -> Iterator[str]:
    """Run the access service of a bench for the time of a block; its address."""
    endpoint, stop = bench.backbone.endpoint, threading.Event()
    settings = Settings(
        project=bench.root,
        home=bench.home.path,
        bootstrap_servers=endpoint.bootstrap_servers,
        registry_url=endpoint.registry_url,
        security_protocol=endpoint.security_protocol,  # type: ignore[arg-type]  # one of its words
    )
    work = threading.Thread(
        target=run_access,
        args=(settings, bench.home, bench.project()),
        kwargs={"log": lambda _: None, "stop": stop},
        daemon=True,
    )
    work.start()
    try:
        yield str(wait_until(lambda: bench.home.address("access")))
    finally:
        stop.set()
        work.join(20)
