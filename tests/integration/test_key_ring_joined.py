"""The key ring reads relations of products that no file of its project describes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from confluent_kafka import KafkaError

from mesh.contract.catalogue import PRODUCTS_TOPIC, descriptor_topic
from mesh.contract.model import Contract
from mesh.contract.odps import load_product
from mesh.control.drills import try_to_write
from mesh.product import family_watch
from mesh.product.runtime import Runtime
from mesh.settings import Settings
from mesh.testing import Workbench, open_workbench
from mesh.wiring.accepted import Following, Relating
from mesh.wiring.replay import prepare_replay
from tests.catalogue import Catalogue, open_catalogue
from tests.joins import is_registered, register, withdraw
from tests.life import wait_until
from tests.relations import RING, domain_of, running_ring, state, statement, write_relation
from tests.repository import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MARKETING, PORT = "test-marketing", "email-address-contract"
CONTRACTS = ("C-000000018", "C-000000026")


@pytest.fixture(scope="module", autouse=True)
def looks_often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family_watch, "LOOK_S", 0.1)
        yield


@dataclass(frozen=True)
class Joined:
    """A mesh with a catalogue, and a product of marketing that joined it by its name alone."""

    catalogue: Catalogue
    bench: Workbench
    contract: Contract
    register: Callable[[], None]

    @contextmanager
    def ring(self) -> Iterator[Runtime]:
        """The key ring at work, as its process wires it."""
        principal, stop = self.bench.principal(RING), threading.Event()
        endpoint, failed = self.bench.backbone.endpoint, list[Exception]()
        with Following(endpoint, principal, PRODUCTS_TOPIC, lambda _: None) as following:
            accepted = Relating(following, lambda _: None)
            with running_ring(self.bench, accepted) as runtime:

                def run() -> None:
                    try:
                        runtime.run(stop)
                    except Exception as error:
                        failed.append(error)

                thread = threading.Thread(target=run)
                thread.start()
                try:
                    yield runtime
                finally:
                    stop.set()
                    thread.join()
        assert failed == []

    def reads(self, runtime: Runtime) -> bool:
        """Whether the key ring reads the relation of marketing."""
        return self.contract.topic in [each.contract.topic for each in runtime.plan.inputs]

    def links(self) -> list[dict | None]:
        """All that the key ring has ever published of links, oldest first; None: one that went."""
        messages = self.bench.messages(self.bench.contract("key-ring.links").topic)
        messages.sort(key=lambda each: each.timestamp()[1])
        return self.bench.decoded(messages)


@pytest.fixture(scope="module")
def joined(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("joined")
    some = ["call-center", RING]
    with (
        open_workbench(backbone, source=ROOT, folder=folder, products=some) as bench,
        open_catalogue(bench) as catalogue,
    ):
        domain = domain_of(bench, "marketing")
        ends = ("email-address", "contract-number")
        write_relation(folder / "elsewhere", f"{MARKETING}.{PORT}", ends, "many-to-one", domain)
        product = folder / "elsewhere" / "products" / "test_marketing"
        catalogue.join(MARKETING, domain)
        subject = f"{descriptor_topic(domain, MARKETING)}-value"
        wait_until(lambda: is_registered(catalogue, subject))
        (contract,) = [each.contract for each in load_product(product).outputs]
        yield Joined(catalogue, bench, contract, lambda: register(catalogue, product, MARKETING))


@pytest.fixture
def accepted(joined):
    """The same, with the product accepted, its topic and its schema there."""
    joined.register()
    wait_until(lambda: joined.bench.registry.versions(joined.contract.subject))
    return joined


def say(joined: Joined, *rows: dict) -> None:
    """State links, and wait until the key ring has published them."""
    before = len(joined.links())
    wait_until(lambda: joined.bench.registry.versions(joined.contract.subject))
    state(joined.bench, joined.contract, *rows)
    wait_until(lambda: len(joined.links()) >= before + len(rows))


def test_a_relation_of_a_product_that_joined_by_name_alone_joins_a_running_key_ring(joined):
    with joined.ring() as runtime:
        wait_until(lambda: runtime.progress.state == "running")
        assert not joined.reads(runtime)
        joined.register()
        wait_until(lambda: joined.reads(runtime))
        say(joined, statement("e1", "ada@telco.example", CONTRACTS[0]))

    assert MARKETING not in joined.bench.project().products
    (link,) = joined.links()
    assert (link["relation"], link["authority"]) == (PORT, MARKETING)
    assert (link["topic"], link["holds"]) == (joined.contract.topic, True)


def test_a_key_ring_that_starts_anew_without_its_storage_forgets_no_link(accepted):
    with accepted.ring() as runtime:
        wait_until(lambda: accepted.reads(runtime))
        say(accepted, statement("e2", "grace@telco.example", CONTRACTS[1]))
    before = accepted.links()
    accepted.bench.home.storage(RING).unlink()
    # What starts a mesh again knows the files alone.
    accepted.bench.provision()

    with accepted.ring() as runtime:
        wait_until(lambda: runtime.progress.state == "running" and runtime.progress.lag == 0)
        assert accepted.reads(runtime)
        say(accepted, statement("e3", "linus@telco.example", CONTRACTS[1]))
    after = accepted.links()
    assert after[: len(before)] == before
    assert [link["from_id"] for link in after[len(before) :]] == ["linus@telco.example"]


def test_a_replay_of_the_key_ring_takes_back_no_link(accepted):
    with accepted.ring() as runtime:
        wait_until(lambda: accepted.reads(runtime))
        say(accepted, statement("e4", "edith@telco.example", CONTRACTS[0]))
    before, bench = accepted.links(), accepted.bench
    settings = Settings(
        project=bench.root,
        home=bench.home.path,
        bootstrap_servers=bench.backbone.endpoint.bootstrap_servers,
        registry_url=bench.backbone.endpoint.registry_url,
        security_protocol=bench.backbone.endpoint.security_protocol,
    )

    done = prepare_replay(settings, bench.home, bench.project(), RING).run(lambda _: None)

    assert done.rows["links"] == len(before)
    assert accepted.links() == before


def test_a_relation_whose_product_is_withdrawn_is_read_no_more_and_keeps_what_it_said(accepted):
    before = accepted.links()
    bench, topic = accepted.bench, accepted.contract.topic
    with accepted.ring() as runtime:
        wait_until(lambda: accepted.reads(runtime))
        withdraw(accepted.catalogue, MARKETING)
        wait_until(lambda: not accepted.reads(runtime))
        # Neither reads nor writes it any more.
        wait_until(lambda: bench.backbone.administrator().readers_of(topic) == [])
        said = try_to_write(bench.backbone.endpoint, bench.principal(MARKETING), [topic])
        assert said == {topic: KafkaError.TOPIC_AUTHORIZATION_FAILED}
        wait_until(lambda: runtime.progress.state == "running" and runtime.progress.lag == 0)
    assert accepted.links() == before

    with accepted.ring() as runtime:
        accepted.register()
        wait_until(lambda: accepted.reads(runtime))
        say(accepted, statement("e9", "a@b.example", CONTRACTS[0]))
    assert accepted.links()[-1]["from_id"] == "a@b.example"


def test_a_right_that_goes_before_the_word_does_stops_nobody(accepted):
    with accepted.ring() as runtime:
        wait_until(lambda: accepted.reads(runtime) and runtime.progress.state == "running")
        runtime.watch._next_look = float("inf")
        withdraw(accepted.catalogue, MARKETING)
        wait_until(lambda: not accepted.reads(runtime))

        wait_until(lambda: runtime.progress.state == "running")
