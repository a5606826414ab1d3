"""A masked port: its contract, made from another's; and its rows, in which nobody is found."""

from __future__ import annotations

import hmac
import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.backbone.topics import topic_of
from mesh.contract.descriptor import canonical, descriptor_in, from_canonical, materialise
from mesh.contract.diff import diff
from mesh.contract.odps import load_product
from mesh.contract.policies import check_product
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.errors import InvalidFile
from mesh.ports.dictionary import is_open
from mesh.product.duck import connect_memory
from mesh.product.masked import MASK, with_masks
from mesh.product.plan import Plan, plan_product
from mesh.product.planned import Planned
from mesh.product.transform import CAUSE
from tests.masked import mask_port
from tests.repository import ROOT
from tests.stats import PHONES, STATS, write_project

KEY, OTHER = b"a key of the mesh", b"another"
NUMBERS = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
CALL = st.fixed_dictionaries(
    {
        "phone_number": NUMBERS,
        "agent_id": st.none() | st.from_regex(r"A-[0-9]{4}", fullmatch=True),
        "reason": st.none() | st.text(min_size=5),
    }
)
CENTER = Path("products") / "call_center"


@pytest.fixture
def center(tmp_path: Path) -> Path:
    """A copy of the call center's folder."""
    return Path(shutil.copytree(ROOT / CENTER, tmp_path / "call_center"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@cache
def plan_of(key: bytes | None = None) -> Plan:
    """The call center, which hashes by *key*."""
    return plan_product(load_project(ROOT), "call-center", key and (lambda _: key))


def rows_of(calls: list[dict[str, str | None]], key: bytes) -> list[dict[str, object]]:
    """What the masked port of the call center has of *calls*."""
    plan = plan_of(key)
    source, output = plan.inputs[0], plan.events[1]
    schema = arrow_schema(source.contract).append(pa.field(CAUSE, pa.int64()))
    rows = [{**dict.fromkeys(schema.names), **e, CAUSE: n} for n, e in enumerate(calls)]
    with connect_memory() as connection:
        with_masks(key, connection)
        made, failures = output.query.run(Planned(connection), pa.Table.from_pylist(rows, schema))
    assert failures == []
    return made.sort_by(CAUSE).to_pylist()


def hashed(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:32]


@settings(max_examples=40, deadline=None)
@given(calls=st.lists(CALL, min_size=1, max_size=20))
def test_no_masked_row_holds_a_personal_value_and_the_same_key_tells_the_same(calls):
    rows = rows_of(calls, KEY)

    assert rows == rows_of(calls, KEY)
    assert [each["phone_number"] for each in rows] == [
        hashed(str(each["phone_number"]), KEY) for each in calls
    ]
    text = json.dumps(rows, default=str)
    values = {value for each in calls for value in each.values() if value is not None}
    assert [each for each in values if json.dumps(each)[1:-1] in text] == []
    assert all(each["agent_id"] in (None, MASK) for each in rows)


def test_another_key_gives_another_hash():
    (row,), (other,) = (rows_of([{"phone_number": "+12025550123"}], each) for each in (KEY, OTHER))

    assert row["phone_number"] != other["phone_number"]


@pytest.mark.parametrize("key", [b"", b"k", b"k" * 64, b"k" * 65, b"\xaa" * 131], ids=len)
@pytest.mark.parametrize("text", ["", "+12025550123", "Ægir 😀", "x" * 300], ids=len)
def test_a_hash_is_that_of_rfc_2104(key, text):
    with connect_memory() as connection:
        with_masks(key, connection)

        found = connection.execute("select mesh_hash(?::varchar)", [text]).fetchone()
    assert found == (hashed(text, key),)


def test_a_hash_without_a_key_fails():
    plan = plan_of()
    with connect_memory() as connection:
        with_masks(plan.mask_key, connection)

        schema = arrow_schema(plan.inputs[0].contract).append(pa.field(CAUSE, pa.int64()))
        with pytest.raises(InvalidFile, match="mesh_hash"):
            plan.events[1].query.run_on_nothing(Planned(connection), schema)


def test_a_key_is_in_no_text_of_a_plan():
    plan = plan_of(KEY)

    assert plan.mask_key == KEY
    assert KEY.decode() not in repr(plan)


def test_a_masked_contract_is_made_of_the_other_and_a_contract_as_any():
    contract = load_project(ROOT).contract("call-center.calls-masked")

    masks = {each.name: each.masked for each in contract.fields if each.masked}
    assert masks == {"phone_number": "hash", "agent_id": "mask"}
    assert "reason" not in [each.name for each in contract.fields]
    assert not contract.has_personal_fields
    assert {each.identifier for each in contract.fields} == {None, "call-id"}
    assert contract.topic == "pub.customer-service.call-center.calls-masked.v1"
    assert [each.name for each in contract.rules] == [
        "queue.enum", "duration_s.minimum", "ends-after-start",
    ]  # fmt: skip
    assert (contract.retention_ms, contract.access) == (2_592_000_000, "auto")


def test_a_masked_topic_can_be_erased_from_by_key_as_the_one_that_it_masks():
    contract = load_project(ROOT).contract("call-center.calls-masked")

    assert topic_of(contract).config["cleanup.policy"] == "compact,delete"
    assert topic_of(replace(contract, masked_from=None)).config["cleanup.policy"] == "delete"


def test_a_hashed_field_is_not_shown_to_everybody_though_nobody_is_asked():
    project = load_project(ROOT)
    contract = project.contract("call-center.calls-masked")
    plain = replace(contract, fields=tuple(replace(each, masked=None) for each in contract.fields))

    assert contract.access == "auto"
    assert is_open(plain, project.identifiers)
    assert not is_open(contract, project.identifiers)


def test_a_personal_field_that_says_nothing_is_left_out_and_a_rule_over_it_goes(center):
    path = center / "contracts" / "calls.odcs.yaml"
    edit(path, "          - property: masked\n            value: hash\n", "")
    edit(path, "implementation: ended_at >= started_at", "implementation: phone_number <> queue")

    contract = load_product(center).contracts[-1]

    assert "phone_number" not in [each.name for each in contract.fields]
    assert [each.name for each in contract.rules] == ["queue.enum", "duration_s.minimum"]


def test_a_personal_identifier_that_is_not_marked_is_found_on_the_masked_port_too(center):
    path = center / "contracts" / "calls.odcs.yaml"
    marks = (
        "          - property: personal\n            value: true\n          - property: masked\n"
    )
    edit(path, f"{marks}            value: hash\n", "")
    project = load_project(ROOT)

    found = check_product(load_product(center), project)

    faults = [str(each.fault) for each in found if each.fault.rule == "personal-marked"]
    assert len(faults) == 2
    assert len(set(faults)) == 1  # each with the line of the field


# The file, what is replaced there by what, and the words.
FAULTS = [
    ("product.yaml", "value: calls\n", "value: cals\n", "is made from cals"),
    ("product.yaml", "value: calls\n", "value: ../contracts/calls\n", "is made from ../contracts"),
    ("product.yaml", "value: calls\n", "value: [calls]\n", "call-center.calls-masked is made"),
    ("product.yaml", "value: calls\n", "value: calls-masked\n", "is made from calls-masked"),
    ("product.yaml", "      - property: maskedFrom\n        value: calls\n", "", "access does not"),
    ("product.yaml", "value: auto", "value: everybody", "`everybody` is not possible"),
    ("contracts/calls.odcs.yaml", "value: hash", "value: hide", "`hide` is not possible"),
    ("contracts/calls.odcs.yaml", "value: call-id\n",
     "value: call-id\n          - property: masked\n            value: omit\n",
     "call_id is in the key of call-center.calls"),
    ("contracts/calls.odcs.yaml", "value: P30D", "value: PT", "retention is `PT`"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "words"), FAULTS, ids=[e[3] for e in FAULTS])
def test_what_cannot_be_masked_is_a_fault(center, file, old, new, words):
    edit(center / file, old, new)

    with pytest.raises(InvalidFile) as found:
        load_product(center)

    assert words in str(found.value)


def test_another_key_is_another_query_of_a_state_port(tmp_path):
    root = write_project(tmp_path / "project")
    mask_port(root, PHONES)
    project = load_project(root)

    digests = {
        plan_product(project, STATS, lambda _, key=key: key).states[-1].digest
        for key in (KEY, KEY, OTHER)
    }

    assert len(digests) == 2


def test_a_catalogue_makes_the_masked_contract_of_what_it_is_sent(center, tmp_path):
    root = tmp_path / "judged"
    root.mkdir()

    sent = from_canonical("call-center", canonical(descriptor_in(center)))
    product = load_product(materialise(sent, root), needs_sql=False)

    here = load_project(ROOT).contract("call-center.calls-masked")
    (there,) = [each for each in product.contracts if each.id == here.id]
    assert there.document == here.document
    assert [each.masked for each in there.fields] == [each.masked for each in here.fields]


def test_a_field_that_is_masked_in_another_way_is_told_and_breaks_nobody(center):
    old = load_product(center).contracts[-1]
    edit(center / "contracts" / "calls.odcs.yaml", "value: hash", "value: mask")

    found = diff(old, load_product(center).contracts[-1])

    changes = [(each.field, each.what, each.is_breaking) for each in found]
    assert ("phone_number", "is masked by mask, not by hash", False) in changes
    assert not any(breaks for _, _, breaks in changes)
