"""The catalogue on a real Kafka: three ways in, one record; the topic is the truth."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaException

from mesh.backbone.admin import Admin
from mesh.contract.catalogue import PRODUCTS_TOPIC, descriptor_topic
from mesh.testing import Backbone, open_workbench
from mesh.testing.messages import send_all
from tests.access import Reader, open_access
from tests.catalogue import Catalogue, open_catalogue, wait_until
from tests.descriptors import descriptor_of
from tests.joins import (
    encoded,
    imports_of,
    joined,
    joined_as,
    register,
    send,
    verdict,
    withdraw,
    without_times,
)
from tests.repository import ROOT

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def catalogue(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("catalogue")
    with (
        open_workbench(backbone, source=ROOT, folder=folder, products=["call-center"]) as bench,
        open_catalogue(bench) as found,
    ):
        yield found


def test_the_products_of_the_project_are_registered(catalogue):
    found = catalogue.ask("GET", "/products").json()["products"]

    assert [each["id"] for each in found] == ["call-center"], str(verdict(catalogue, "call-center"))


def test_three_ways_in_give_one_record_byte_by_byte(catalogue, tmp_path):
    domain = joined(catalogue, "three-ways")
    product, contract = descriptor_of("three-ways", domain)
    sql = {"stars.sql": "select 1\n"}

    # An event, in YAML.
    record = {
        "id": "three-ways",
        "product": yaml.safe_dump(product),
        "contracts": [yaml.safe_dump(contract)],
        "sql": sql,
    }
    send(catalogue, "three-ways", domain, encoded(catalogue, "three-ways", domain, record))
    wait_until(lambda: verdict(catalogue, "three-ways")["state"] == "accepted")
    withdraw(catalogue, "three-ways")
    # HTTP, as JSON with its keys in another order.
    turned = dict(reversed(list(product.items())))
    body = {"product": turned, "contracts": [contract], "sql": sql}
    assert catalogue.ask("PUT", "/products/three-ways", "three-ways", body).status_code == 201
    withdraw(catalogue, "three-ways")
    # Files, with comments.
    folder = tmp_path / "three_ways"
    (folder / "contracts").mkdir(parents=True)
    (folder / "product.yaml").write_text(f"# The product.\n{yaml.safe_dump(product)}")
    (folder / "contracts" / "stars.odcs.yaml").write_text(yaml.safe_dump(contract, indent=4))
    (folder / "stars.sql").write_text(sql["stars.sql"])
    register(catalogue, folder, "three-ways")

    first, gone, second, gone_too, third = catalogue.records("three-ways")
    assert first == second == third
    assert first is not None
    assert gone is gone_too is None


def test_a_refusal_is_the_same_whichever_way_it_came(catalogue):
    domain = joined(catalogue, "refused")
    product, contract = descriptor_of("refused", domain, port={"slaProperties": []})
    texts = {"product": yaml.safe_dump(product), "contracts": [yaml.safe_dump(contract)]}

    by_http = catalogue.ask("PUT", "/products/refused", "refused", texts)
    record = {"id": "refused", **texts, "sql": {}}
    send(catalogue, "refused", domain, encoded(catalogue, "refused", domain, record))
    wait_until(lambda: verdict(catalogue, "refused").get("via") == "event")

    assert by_http.status_code == 422
    assert verdict(catalogue, "refused")["findings"] == by_http.json()["findings"]
    (found,) = by_http.json()["findings"]
    assert found["rule"] == "sla-declared"
    assert found["place"].startswith("contracts/stars.odcs.yaml:")
    assert found["remedy"]
    assert catalogue.records("refused") == []


def test_only_the_catalogue_writes_what_is_accepted(catalogue):
    bench = catalogue.bench
    for name in ("call-center", "ada"):
        client = bench.backbone.endpoint.client(bench.principal(name))
        with pytest.raises(KafkaException, match="uthorization"):
            send_all(client, PRODUCTS_TOPIC, [{"key": "call-center", "value": b"x"}])


def test_another_products_descriptor_topic_is_refused_by_the_broker(catalogue):
    domain = joined(catalogue, "victim")
    joined(catalogue, "burglar")
    client = catalogue.bench.backbone.endpoint.client(catalogue.bench.principal("burglar"))

    with pytest.raises(KafkaException, match="uthorization"):
        send_all(client, descriptor_topic(domain, "victim"), [{"key": "victim", "value": b"x"}])


def test_a_descriptor_that_cannot_be_read_is_refused_with_its_place_and_stops_nobody(catalogue):
    domain = joined(catalogue, "torn")
    product, contract = descriptor_of("torn", domain)
    record = {
        "id": "torn",
        "product": json.dumps(product),
        "contracts": [json.dumps(contract)],
        "sql": {},
    }
    whole = encoded(catalogue, "torn", domain, record)

    send(catalogue, "torn", domain, whole[:200])
    wait_until(lambda: verdict(catalogue, "torn")["state"] == "refused")
    (found,) = verdict(catalogue, "torn")["findings"]
    send(catalogue, "torn", domain, whole)
    wait_until(lambda: verdict(catalogue, "torn")["state"] == "accepted")

    assert found["rule"] == "descriptor"
    assert found["place"] == f"{descriptor_topic(domain, 'torn')}/0@0"
    assert "cut short" in found["problem"]


def test_a_tombstone_withdraws_the_product(catalogue):
    domain = joined(catalogue, "leaver")
    product, contract = descriptor_of("leaver", domain)
    body = {"product": product, "contracts": [contract]}
    assert catalogue.ask("PUT", "/products/leaver", "leaver", body).status_code == 201

    send(catalogue, "leaver", domain, None)
    wait_until(lambda: verdict(catalogue, "leaver")["state"] == "withdrawn")

    assert catalogue.ask("GET", "/products/leaver").status_code == 404
    assert catalogue.records("leaver")[-1] is None


def test_a_deleted_read_model_comes_back_whole(catalogue):
    domain = joined(catalogue, "kept")
    product, contract = descriptor_of("kept", domain)
    body = {"product": product, "contracts": [contract]}
    assert catalogue.ask("PUT", "/products/kept", "kept", body).status_code == 201
    paths = ("/products", "/products/kept", "/products/call-center", "/verdicts/kept")
    before = [catalogue.ask("GET", each).json() for each in paths]

    catalogue.restart()

    after = [catalogue.ask("GET", each).json() for each in paths]
    assert without_times(after) == without_times(before)


def test_nobody_elses_token_changes_anything(catalogue):
    before = catalogue.ask("GET", "/products/call-center").json()
    for principal, status in (("ada", 403), ("", 401)):
        answer = catalogue.ask("PUT", "/products/call-center", principal, {"product": "x"})
        assert answer.status_code == status
        assert catalogue.ask("DELETE", "/products/call-center", principal).status_code == status

    after = catalogue.ask("GET", "/products/call-center").json()
    assert all(after[each] == before[each] for each in ("digest", "descriptor", "accepted_at"))


def test_a_product_without_our_python_joins_by_topic_schema_and_http(catalogue):
    joined_as(catalogue, "call-ratings", "marketing")
    bench = catalogue.bench
    command = [
        sys.executable,
        str(ROOT / "examples" / "call_ratings.py"),
        bench.backbone.endpoint.bootstrap_servers,
        bench.backbone.endpoint.registry_url,
        catalogue.address,
        str(bench.home.secret_path("call-ratings")),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")

    assert ended.returncode == 0, ended.stderr + ended.stdout
    messages = bench.messages("pub.marketing.call-ratings.ratings.v1")
    assert sorted(row["stars"] for row in bench.decoded(messages)) == [1, 3, 5]
    assert "mesh" not in imports_of("call_ratings.py")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node on this machine")
def test_a_product_in_node_joins_by_http_alone(catalogue, access):
    joined_as(catalogue, "shop-visits", "marketing")
    secret = catalogue.bench.home.secret_path("shop-visits")
    command = ["node", ROOT / "examples" / "shop_visits.mjs", access, catalogue.address, secret]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")

    assert (ended.returncode, ended.stdout) == (0, "shop-visits is accepted\n"), ended.stderr
    topic = "pub.marketing.shop-visits.visits.v1"
    admin = catalogue.bench.backbone.administrator()
    wait_until(lambda: topic in admin.topic_partitions())


@pytest.fixture
def access(catalogue: Catalogue) -> Iterator[str]:
    """Where the access service answers."""
    with open_access(catalogue.bench) as found:
        yield found


def test_a_port_on_request_is_read_by_its_owners_word_and_not_by_wishing_for_it(catalogue, access):
    domain, free = joined(catalogue, "wisher"), joined(catalogue, "giver")
    assert put(catalogue, "giver", *descriptor_of("giver", free)) == 201
    inputs = [
        {"name": "calls", "version": "1.0.0", "contractId": "call-center.calls"},
        {"name": "stars", "version": "1.0.0", "contractId": "giver.stars"},
    ]
    wishes = descriptor_of("wisher", domain, product={"inputPorts": inputs})
    assert put(catalogue, "wisher", *wishes) == 201
    bench = catalogue.bench
    wisher = Admin(bench.backbone.endpoint, bench.principal("wisher"))
    # The broker shows a topic to whoever may do something with it.
    wait_until(lambda: f"pub.{free}.giver.stars.v1" in wisher.topic_partitions())

    topic = bench.contract("call-center.calls").topic
    assert topic not in wisher.topic_partitions()
    owner = Reader(bench, "call-center")
    wait_until(lambda: ("wisher", "requested") in owner.accesses())
    owner.act("grant", principal="wisher")
    wait_until(lambda: topic in wisher.topic_partitions())
    assert owner.act("revoke", principal="wisher").json()["copies"] == ["wisher"]
    wait_until(lambda: topic not in wisher.topic_partitions())


def put(catalogue: Catalogue, id_: str, product: Any, contract: Any) -> int:
    body = {"product": product, "contracts": [contract]}
    return catalogue.ask("PUT", f"/products/{id_}", id_, body).status_code
