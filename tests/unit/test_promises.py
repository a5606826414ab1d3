"""Policies about promises, and those that a domain adds for itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.contract.descriptor import materialise
from mesh.contract.model import Product
from mesh.contract.odps import load_product
from mesh.contract.policies import check_product, rulebook
from mesh.contract.project import Project, load_lists
from mesh.errors import InvalidFile
from tests.descriptors import as_descriptor, descriptor_of
from tests.repository import ROOT

LISTS = load_lists(ROOT)


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """A function that makes a product of changed documents."""
    count = iter(range(100))

    def make(id_: str = "ratings", domain: str = "marketing", **changes: Any) -> Product:
        documents = descriptor_of(id_, domain, **changes)
        folder = materialise(as_descriptor(*documents), tmp_path / str(next(count)))
        return load_product(folder, needs_sql=False)

    return make


def found(product: Product, *others: Product, before: Product | None = None) -> list[str]:
    """The rules that the product breaks, beside others and after what was accepted before."""
    project = replace(
        LISTS,
        products={each.id: each for each in (*others, product)},
        accepted={each.id: each for each in (*others, *([before] if before else []))},
    )
    return [each.fault.rule for each in check_product(product, project)]


def properties(**custom: Any) -> list[dict[str, Any]]:
    base = {"portKind": "event", "retention": "P30D", **custom}
    return [{"property": name, "value": value} for name, value in base.items()]


def test_a_small_product_keeps_every_policy(made):
    assert found(made()) == []


@pytest.mark.parametrize(
    ("product", "port", "rule"),
    [
        ({"support": []}, {}, "owner-reachable"),
        ({"support": [{"channel": "x", "url": "ftp://x"}]}, {}, "owner-reachable"),
        ({}, {"slaProperties": []}, "sla-declared"),
        ({}, {"slaProperties": [{"property": "retention", "value": 3, "unit": "d"}]},
         "sla-declared"),
        ({"customProperties": [{"property": "algorithm", "value": "Decides."}]}, {},
         "algorithm-fair"),
    ],
)  # fmt: skip
def test_a_promise_that_is_missing_is_named(made, product, port, rule):
    assert found(made(product=product, port=port)) == [rule]


def test_an_algorithm_with_a_fairness_rule_is_taken(made):
    fairness = {"groups": ["stars"], "meaning": "Nobody waits longer for having complained."}
    product = {"customProperties": [{"property": "algorithm", "value": "Decides."}]}

    assert (
        found(made(product=product, port={"customProperties": properties(fairness=fairness)})) == []
    )


def test_personal_fields_are_classified(made):
    product = made()
    contract = product.outputs[0].contract
    fields = (replace(contract.fields[0], is_personal=True), *contract.fields[1:])
    changed = replace(contract, fields=fields, purpose="Try.")

    assert found(replace(product, contracts=(changed,))) == ["personal-classified"]


def test_a_contract_breaks_no_reader_of_the_version_accepted_last(made):
    before = made()
    shorter = {"customProperties": properties(retention="P1D")}

    assert found(made(port=shorter), before=before) == ["compatible", "version-raised"]
    assert found(before, before=before) == []


def test_a_change_without_another_version_is_a_warning(made):
    before = made()
    softer = made(port={"customProperties": properties(purpose="Try.")})

    findings = check_product(softer, replace(LISTS, products={}, accepted={"ratings": before}))

    assert [(each.fault.rule, each.level) for each in findings] == [("version-raised", "warning")]


def test_a_port_that_others_read_stays(made):
    before = made()
    port = {"name": "stars", "version": "1.0.0", "contractId": "ratings.stars"}
    reader = made("reader", product={"inputPorts": [port]})
    gone = replace(made(), contracts=(), outputs=())

    assert found(gone, reader, before=before) == ["port-kept"]
    assert found(gone, before=before) == []


@pytest.mark.parametrize(
    ("id_", "domain"), [("mesh-thing", "sales"), ("catalogue", "mesh"), ("ada", "x")]
)
def test_a_name_that_is_somebody_elses_is_refused(made, id_, domain):
    assert "names-free" in found(made(id_, domain))


def test_a_port_may_not_take_the_place_of_the_descriptor(made):
    product = made()
    contract = replace(product.outputs[0].contract, id="ratings.descriptor")

    assert "names-free" in found(replace(product, contracts=(contract,)))


def test_an_input_that_nobody_offers_is_a_warning(made):
    port = {"name": "x", "version": "1.0.0", "contractId": "nobody.x"}

    assert found(made(product={"inputPorts": [port]})) == ["input-there"]


def test_the_first_who_was_accepted_with_a_relation_has_the_authority(tmp_path):
    from tests.relations import write_relation

    root = tmp_path
    for name in ("company", "products"):
        shutil.copytree(ROOT / name, root / name)
    for id_ in ("test-first.line-contract", "test-second.line-contract"):
        write_relation(root, id_, ("phone-number", "contract-number"), "many-to-one")
    first, second = (
        load_product(root / "products" / each) for each in ("test_first", "test_second")
    )
    both = {each.id: each for each in (first, second)}
    project = replace(LISTS, products=both, accepted={first.id: first})

    assert "relation-authority" not in rules(first, project)
    assert "relation-authority" in rules(second, project)


def rules(product: Product, project: Project) -> list[str]:
    return [each.fault.rule for each in check_product(product, project)]


def test_every_rule_that_can_be_found_is_listed_once(made):
    listed = [each.rule for each in rulebook(ROOT)]

    assert len(set(listed)) == len(listed)
    assert all(each.says.endswith(".") for each in rulebook(ROOT))
    assert {each.level for each in rulebook(ROOT)} == {"error", "warning"}
    assert "money-has-a-currency" in listed


# A domain's own.


def domain_project(root: Path, *policies: dict[str, str]) -> Project:
    folder = root / "company" / "policies"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "marketing.yaml").write_text(yaml.safe_dump({"policies": list(policies)}))
    return replace(LISTS, root=root)


def policy(about: str, expression: str, **others: str) -> dict[str, str]:
    says = "So it is here."
    return {"rule": "ours", "says": says, "about": about, "expression": expression,
            "remedy": "mend it", **others}  # fmt: skip


@pytest.mark.parametrize(
    ("about", "expression", "count"),
    [
        ("product", "id = 'ratings'", 0),
        ("product", "len(outputs) > 3", 1),
        ("port", "retention_days <= 7", 1),
        ("port", "list_contains(sla, 'latency')", 0),
        ("field", "required", 0),
        ("field", "name <> 'stars'", 1),
        ("field", "identifier = 'call-id'", 0),  # null where there is none, and null is kept
        ("field", "false", 2),
    ],
)
def test_a_domain_adds_policies_as_expressions(made, tmp_path, about, expression, count):
    project = domain_project(tmp_path, policy(about, expression))

    findings = check_product(made(), project)

    assert [each.fault.rule for each in findings] == ["ours"] * count
    assert check_product(made(domain="sales"), project) == []


def test_a_domains_warning_blocks_nothing(made, tmp_path):
    project = domain_project(tmp_path, policy("product", "false", level="warning"))

    assert [each.level for each in check_product(made(), project)] == ["warning"]


@pytest.mark.parametrize(
    "expression",
    ["", "(select 1)", "read_text('/etc/passwd') = ''", "getenv('HOME') = ''", "nobody = 1",
     "1 + 1", "true; drop table x", "random() > 0", "exists (from range(1))"],
)  # fmt: skip
def test_an_expression_that_could_do_harm_is_refused_with_its_line(made, tmp_path, expression):
    project = domain_project(tmp_path, policy("product", expression))

    with pytest.raises(InvalidFile) as caught:
        check_product(made(), project)

    assert caught.value.faults[0].line > 1
    assert caught.value.faults[0].path.name == "marketing.yaml"


def test_a_domains_file_that_is_none_is_named_when_policies_are_listed(tmp_path):
    folder = tmp_path / "company" / "policies"
    folder.mkdir(parents=True)
    (folder / "sales.yaml").write_text("policies:\n  - rule: x\n")

    with pytest.raises(InvalidFile, match=r"sales\.yaml:2"):
        rulebook(tmp_path)
