"""Tests for `mesh.contract.odcs`: each fault of a contract is found, at its line."""

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from mesh.contract.odcs import check_contract, load_contract
from mesh.contract.yamlfile import parse_yaml
from mesh.errors import InvalidFile

CALLS = Path("products/call_center/contracts/calls.odcs.yaml")
TEXT = CALLS.read_text()


def checked(text):
    return check_contract(parse_yaml(text.encode(), Path("calls.odcs.yaml")))


def changed(old, new):
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def line_of(text, marker):
    (line,) = (i for i, one in enumerate(text.splitlines(), 1) if marker in one)
    return line


def test_a_contract_that_ships_is_read():
    contract = load_contract(CALLS)

    assert (contract.id, contract.major, contract.kind) == ("call-center.calls", 1, "event")
    assert contract.topic == "pub.customer-service.call-center.calls.v1"
    assert [field.name for field in contract.key_fields] == ["call_id"]
    assert contract.retention_ms == 30 * 24 * 3600 * 1000
    assert [f.name for f in contract.fields if f.is_personal] == ["phone_number", "agent_id"]
    assert contract.rejected_topic.startswith("priv.customer-service.call-center.calls.rejected")


def test_a_broken_contract_raises_all_its_faults(tmp_path):
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(changed("version: 1.0.0", "version: one").replace("P30D", "a month"))

    with pytest.raises(InvalidFile) as caught:
        load_contract(path)

    assert len(caught.value.faults) == 2


# What is replaced, by what (the marker @ stands on the line that must be named), the words.
FAULTS = [
    ("apiVersion: v3.2.0", "apiVersion: v3.1.0 #@", "write v3.2.0"),
    ("apiVersion: v3.2.0", "apiVersion: v9 #@", "write one of"),
    ("kind: DataContract", "kind: DataProduct #@", "DataContract"),
    ("version: 1.0.0", "version: 1.0 #@", "not text"),
    ("version: 1.0.0", "version: v1 #@", "three numbers"),
    ("version: 1.0.0", "version: 2.0.0", "let the topic end in .v2"),
    ("id: call-center.calls", "id: calls #@", "id: call-center.calls"),
    ("domain: customer-service", "domain: sales #@", "domain: customer-service"),
    ("status: active", "statsu: active #@", "did you mean `status`?"),
    ("  usage:", "  usage: 7 #@\n  x:", "not text"),
    ("physicalType: topic", "physicalType: table #@", "physicalType: topic"),
    ("physicalName: pub", "physicalName: public #@", "<pub|priv>"),
    ("calls.v1", "Calls.v1 #@", "<pub|priv>"),
    ("    description: One row per finished call.", "    description: Calls. #@", "One row per"),
    ("    physicalType: topic", "    phisicalType: topic #@", "did you mean `physicalType`?"),
    ("- name: queue", "- name: callQueue #@", "write call_queue"),
    ("- name: queue", "- name: call_id #@", "there twice"),
    ("- name: queue", "- nmae: queue #@", "did you mean `name`?"),
    ("- name: queue", "- name: q\"'); drop #@", "snake_case"),
    ("- name: site\n        logicalType: string", "- name: site\n        logicalType: strng #@",
     "did you mean string?"),
    ("logicalType: integer", "logicalType: time #@", "not supported"),
    ("logicalType: integer", "logicalType: vector #@", "not supported"),
    ("logicalType: integer", "logicalType: 7 #@", "is `7`"),
    ("logicalType: integer", "logicalType: integer\n        unique: 'yes' #@\n        tags:",
     "true or false"),
    ("          minimum: 0", "          minimun: 0 #@", "did you mean `minimum`?"),
    ("          minimum: 0", "          minimum: zero #@", "not a number"),
    ("          minimum: 0", "          minimum: 0.5 #@", "whole number"),
    ("          pattern: '^\\+[1-9][0-9]{6,14}$'", "          pattern: '^(?=x)' #@", "RE2"),
    ("          pattern: '^\\+[1-9][0-9]{6,14}$'", "          pattern: '(' #@", "RE2"),
    ("          pattern: '^\\+[1-9][0-9]{6,14}$'", "          pattern: 'x{1000}{1000}' #@", "RE2"),
    ("        required: true\n        primaryKey: true", "        primaryKey: true #@",
     "required: true"),
    ("          - value: billing", "          - valeu: billing #@", "did you mean `value`?"),
    ("          - value: billing", "          - value: 7 #@", "not text"),
    ("implementation: ended_at", "implementation: endet_at #@", "did you mean ended_at?"),
    ("implementation: ended_at >= started_at", "implementation: duration_s #@", "true or false"),
    ("implementation: ended_at >= started_at", "implementation: queue > ended_at #@", "compare"),
    ("        engine: mesh", "        engin: mesh #@", "did you mean `engine`?"),
    ("value: event", "value: evnt #@", "did you mean event?"),
    ("value: event", "value: state", "remove retention"),
    ("    value: 4", "    value: 0 #@", "from 1 to"),
    ("    value: 4", "    value: four #@", "from 1 to"),
    ("value: P30D", "value: 30 days #@", "ISO 8601"),
    ("value: P30D", "value: P0D #@", "ISO 8601"),
    ("value: P30D", "value: P1M #@", "ISO 8601"),
    ("value: ask", "value: maybe #@", "auto, ask"),
    ("- property: access", "- property: partitions #@", "twice"),
    ("- property: access", "- property: personal #@", "put it on a field"),
    ("- property: personal", "- property: access #@", "put it on a contract"),
    ("            value: true", "            value: 'true' #@", "true or false"),
    ("            value: phone-number", "            value: Phone Number #@", "kebab-case"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_each_fault_is_found_at_its_line_and_not_told_many_times(old, new, words):
    text = changed(old, new)

    found = checked(text)

    assert found.contract is None
    said = [(fault.line, str(fault)) for fault in found.faults]
    lines = [line_of(text, "#@")] if "#@" in text else [line for line, _ in said]
    assert any(line in lines and words in message for line, message in said), said
    assert len(said) <= 3, said


@pytest.mark.parametrize("key", ["id", "version", "kind", "apiVersion", "domain", "schema"])
def test_what_is_missing_is_named(key):
    text = TEXT.replace(f"\n{key}:", f"\nx-{key}:").replace(
        "apiVersion", "x-apiVersion", key == "apiVersion"
    )

    assert any(key in str(fault) for fault in checked(text).faults)


def test_a_port_must_say_its_kind_and_an_event_port_how_long_it_keeps():
    no_kind = checked(changed("portKind", "portKindX"))
    no_retention = checked(changed("- property: retention", "- property: retentionX"))

    assert "portKind is missing" in str(no_kind.faults[0])
    assert "retention is missing" in str(no_retention.faults[0])


def test_a_misspelt_property_of_ours_is_a_warning_with_its_line():
    text = changed("- property: access", "- property: acess #@")

    (warning,) = checked(text).warnings

    assert warning.line == line_of(text, "#@")
    assert warning.remedy == "did you mean access?"


def test_a_property_of_another_vendor_is_left_alone():
    text = changed("- property: access", "- property: acces\n    vendor: other")

    found = checked(text)

    assert found.contract is not None
    assert not found.warnings


def test_a_state_port_is_kept_for_ever():
    text = changed("value: event", "value: state").replace(
        "- property: retention\n    value: P30D\n  ", ""
    )

    contract = checked(text).contract

    assert (contract.kind, contract.retention_ms) == ("state", None)


def test_two_key_fields_need_their_positions():
    both = changed("      - name: queue\n", "      - name: queue\n        primaryKey: true\n")
    placed = both.replace("primaryKey: true", "primaryKey: true\n        primaryKeyPosition: 2", 1)
    placed = placed.replace(
        "- name: queue\n        primaryKey: true",
        "- name: queue\n        primaryKey: true\n        primaryKeyPosition: 1",
    )

    assert "positions" in str(checked(both).faults[0])
    assert [f.name for f in checked(placed).contract.key_fields] == ["queue", "call_id"]


def test_a_relation_is_checked_at_its_lines():
    relation = """
  - property: relation
    value:
      from: phone-number
      to: Contract
      cardinality: many
      validFrom: start
      until: x"""

    faults = checked(TEXT + relation.lstrip("\n")).faults

    base = len(TEXT.splitlines())
    assert {(fault.line - base) for fault in faults} >= {4, 5, 6, 7}


def test_the_official_schemas_are_unchanged():
    folder = resources.files("mesh.contract").joinpath("schemas")
    readme = folder.joinpath("README.md").read_text()

    lineage = [f"openlineage/{each.name}" for each in folder.joinpath("openlineage").iterdir()]
    for name in ("odcs-3.2.0.schema.json", "odps-1.1.0.schema.json", *lineage):
        digest = hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()
        assert f"{digest}  {name}" in readme
