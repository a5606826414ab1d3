"""A contract changes while its readers run: what they read, what is refused, how they move on."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import fastavro
import pytest
from click.testing import CliRunner

from mesh.backbone.registry import Registry
from mesh.backbone.wire import frame
from mesh.cli.app import App
from mesh.cli.contract import contract
from mesh.contract.types import avro_schema
from mesh.errors import SchemaIncompatible
from mesh.testing.messages import send_all
from tests.majors import CALLS, CALLS_V2, bump, center, edit
from tests.stats import (
    CENTER,
    HEAVY,
    PHONES,
    STATS,
    counts,
    expected,
    feed,
    few,
    open_stats,
    run,
)

pytestmark = pytest.mark.broker

SITE = """\
      - name: site
        logicalType: string
        description: The call centre that took the call.
"""
MOOD = """\
      - name: mood
        logicalType: string
        description: How the customer felt.
"""


@pytest.fixture(scope="module")
def still(backbone, tmp_path_factory):
    """The same, for changes that are refused."""
    with open_stats(backbone, tmp_path_factory.mktemp("still")) as found:
        yield found


@pytest.fixture
def refusing(still):
    """The project as it was before each change."""
    files = [center(still.root) / name for name in ("product.yaml", "contracts/calls.odcs.yaml")]
    before = [each.read_bytes() for each in files]
    yield still
    for path, text in zip(files, before, strict=True):
        path.write_bytes(text)


def kept(bench, product: str = STATS) -> list[dict[str, object]]:
    """The calls that a product that does not run has taken in."""
    return bench.rows(product, "calls", "input")


@pytest.mark.slow
def test_a_running_reader_reads_what_a_newer_contract_writes(bench):
    """An optional field is added, then another is removed; nobody starts the reader again."""
    feed(bench, 10)
    with bench.running(STATS) as reader:
        bench.settle(reader, 10)
        bump(bench.root, "1.1.0", (SITE, SITE + MOOD))
        sql = center(bench.root) / "calls.sql"
        edit(sql, ("        site,\n", "        site, 'fair' as mood,\n"))
        bench.provision()
        feed(bench, 10, 10)
        bench.settle(reader, 10)
        edit(sql, ("        site, 'fair'", "        'fair'"))
        edit(center(bench.root) / "contracts" / "calls.odcs.yaml", (SITE, ""))
        bench.provision()
        feed(bench, 10, 20)
        bench.settle(reader, 10)

    said = bench.decoded(bench.messages(bench.contract(CALLS).topic))
    assert sorted(sorted(set(row) & {"site", "mood"}) for row in said) == sorted(
        [["site"]] * 10 + [["mood", "site"]] * 10 + [["mood"]] * 10
    )
    found = kept(bench)
    # The reader's own contract is the one it was started with: it has a site, and no mood.
    assert "mood" not in found[0]
    assert [row["site"] is None for row in found].count(True) == 10
    assert counts(bench) == expected(few(30))
    assert not bench.messages(bench.contract(PHONES).rejected_topic)
    # And the call center, whose contract lost a field, kept its storage.
    assert len(bench.rows(CENTER, "calls")) == 30


def test_a_message_of_a_narrower_type_is_read_as_the_wider_one(bench):
    """Whoever writes without our registrar may have a narrower type; a wider one is set aside."""
    calls = bench.contract(CALLS)
    client = bench.backbone.endpoint.client(bench.principal(CENTER))
    row = {**few(1).to_pylist()[0], "duration_s": 7}
    values = []
    for narrow in ("int", "double"):
        schema = avro_schema(calls)
        fields = [dict(each) for each in schema["fields"]]
        next(each for each in fields if each["name"] == "duration_s")["type"] = narrow
        foreign = {**schema, "fields": fields}
        schema_id, is_new = bench.registry.register(f"{calls.topic}-{narrow}-value", foreign)
        payload = io.BytesIO()
        fastavro.schemaless_writer(payload, foreign, row)
        values.append(frame(schema_id, payload.getvalue()))
        assert is_new
    send_all(client, calls.topic, [{"key": row["call_id"].encode(), "value": v} for v in values])

    run(bench, STATS, 2)

    assert [each["duration_s"] for each in kept(bench)] == [7]
    source = f"priv.{calls.domain}.{STATS}.calls.rejected.v1"
    (rejected,) = bench.decoded(bench.messages(source))
    assert rejected["rule"] == "schema"
    assert "its field duration_s is double, not int64" in rejected["reason"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("- name: duration_s\n", "- name: length_s\n"), "duration_s: a required field is removed"),
        ((SITE, SITE + "        required: true\n"), "site: becomes required"),
        (("logicalType: timestamp\n        description: When the call began.",
          "logicalType: date\n        description: When the call began."),
         "started_at: type timestamp becomes date"),
    ],
)  # fmt: skip
def test_a_contract_that_breaks_its_readers_is_refused_with_field_rule_and_readers(
    refusing, change, words
):
    before = refusing.registry.versions(refusing.contract(CALLS).subject)
    bump(refusing.root, "1.1.0", change)

    with pytest.raises(SchemaIncompatible) as refused:
        refusing.provision()

    said = str(refused.value)
    assert said.startswith(f"{CALLS} 1.1.0 would break its readers (ada, {HEAVY}, {STATS}, grace)")
    assert words in said
    assert f"Make it {CALLS_V2}, version 2.0.0" in said
    assert "\n" not in said
    assert refusing.registry.versions(refusing.contract(CALLS).subject) == before


def test_a_check_says_what_provisioning_would(refusing):
    app = App()
    app.__dict__ |= {
        "settings": SimpleNamespace(project=refusing.root),
        "endpoint": refusing.backbone.endpoint,
    }
    alone = CliRunner().invoke(contract, ["check"], obj=app)
    bump(refusing.root, "1.1.0", ("- name: duration_s\n", "- name: length_s\n"))
    del app.__dict__["project"]

    plain = CliRunner().invoke(contract, ["check", CALLS], obj=app)
    document = json.loads(CliRunner().invoke(contract, ["check", "--json"], obj=app).output)

    assert (alone.exit_code, plain.exit_code) == (0, 1)
    assert f"{CALLS} 1.0.0: as registered" in alone.output
    with pytest.raises(SchemaIncompatible) as refused:
        refusing.provision()
    # Provisioning goes on to the port that masks this one.
    assert str(refused.value).startswith(f"{plain.output.rstrip()}; {CALLS}-masked 1.1.0 would")
    ids = [each["id"] for each in document["contracts"] if each["refused"]]
    assert ids == [CALLS, f"{CALLS}-masked"]


def test_the_registry_itself_refuses_what_our_own_rule_lets_through(refusing, monkeypatch):
    bump(refusing.root, "1.1.0", ("- name: duration_s\n", "- name: length_s\n"))
    monkeypatch.setattr("mesh.control.provision.require_compatible", lambda *_: None)

    with pytest.raises(SchemaIncompatible) as refused:
        refusing.provision()

    assert f"{CALLS} 1.1.0 is refused by the registry" in str(refused.value)
    assert STATS in str(refused.value)


def test_a_wider_decimal_is_refused_though_a_registry_would_take_it(refusing):
    """Avro sees bytes, whatever the digits; a reader of before does not."""
    amount = "      - name: fee\n        logicalType: number\n        physicalType: decimal(6,2)\n"
    bump(refusing.root, "1.1.0", (SITE, SITE + amount))
    refusing.provision()
    edit(center(refusing.root) / "contracts" / "calls.odcs.yaml", ("decimal(6,2)", "decimal(8,2)"))

    with pytest.raises(
        SchemaIncompatible, match=r"fee: type decimal\(6,2\) becomes decimal\(8,2\)"
    ):
        refusing.provision()
    with Registry(refusing.backbone.endpoint) as registry:
        wider = refusing.contract(CALLS)
        assert registry.register(wider.subject, avro_schema(wider))[1]
