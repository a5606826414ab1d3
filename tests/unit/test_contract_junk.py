"""Tests for `mesh.contract.odcs`: whatever stands in a contract, it is judged without a crash."""

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract.odcs import check_contract
from mesh.contract.schema_check import is_accepted, validator_of
from mesh.contract.yamlfile import YamlFile, parse_yaml

TEXT = Path("products/call_center/contracts/calls.odcs.yaml").read_text()


def checked(text):
    return check_contract(parse_yaml(text.encode(), Path("calls.odcs.yaml")))


def changed(old, new):
    assert old in TEXT
    return TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    "value", ["7", "[]", "{}", "null", "'x'", "[[[]]]", "[7]", "[{}]", "[null]", "[[7]]", "true"]
)
@pytest.mark.parametrize("key", ["schema", "customProperties", "id", "version", "team", "domain"])
def test_a_wrong_kind_of_value_is_a_fault_and_never_a_crash(key, value):
    lines, skipping = [], False
    for line in TEXT.splitlines():
        skipping = line.startswith(f"{key}:") or (skipping and line.startswith((" ", "-")))
        lines += [] if skipping else [line]

    found = checked("\n".join([*lines, f"{key}: {value}"]))

    assert found.contract is None or key == "team"


@pytest.mark.parametrize("value", ["7", "[]", "{}", "'x'", "[7]", "[{}]", "[[7]]", "{a: 7}"])
@pytest.mark.parametrize(
    "key",
    ["name", "logicalType", "logicalTypeOptions", "enum", "quality", "customProperties", "items",
     "properties", "required", "primaryKey", "primaryKeyPosition", "physicalName", "map"],
)  # fmt: skip
def test_a_field_with_a_wrong_kind_of_value_never_crashes(key, value):
    good = {"name": "extra", "logicalType": "string"}
    field = ", ".join(f"{k}: {v}" for k, v in (good | {key: value}).items())

    checked(changed("    quality:\n", f"      - {{{field}}}\n    quality:\n"))
    checked(changed("    quality:\n", f"      - {{{key}: {value}}}\n    quality:\n"))


def places(value, where=()):
    """Yield the path of every value in a document."""
    yield where
    pairs = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else pairs:
        yield from places(inner, (*where, key))


DOCUMENT = parse_yaml(TEXT.encode(), Path("x.yaml")).document
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "value", "property", "logicalType", "x"]), inner)
    ),
    max_leaves=5,
)


PLACES = [one for one in places(DOCUMENT) if one]


def damaged(where, junk):
    document = copy.deepcopy(DOCUMENT)
    owner = document
    for part in where[:-1]:
        owner = owner[part]
    owner[where[-1]] = junk
    return document


@settings(max_examples=150, deadline=None)
@given(where=st.sampled_from(PLACES), junk=JUNK)
def test_any_junk_in_any_place_is_judged_without_a_crash(where, junk):
    document = damaged(where, junk)

    found = check_contract(YamlFile(path=Path("x.yaml"), document=document, lines={}))

    assert (found.contract is None) == bool(found.faults)


@settings(max_examples=150, deadline=None)
@given(where=st.sampled_from(PLACES), junk=JUNK)
def test_what_the_fast_validator_accepts_has_no_fault_to_explain(where, junk):
    document = damaged(where, junk)

    accepted = is_accepted("odcs-3.2.0", document)

    assert not accepted or validator_of("odcs-3.2.0").is_valid(document)
