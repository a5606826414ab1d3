"""Tests for `mesh.contract.odps` and `project`: descriptors, and what products say."""

import shutil
from pathlib import Path

import pytest

from mesh.contract.odps import load_product
from mesh.contract.project import load_project
from mesh.errors import InvalidFile, WrongUse
from tests.people import free, grant_only


@pytest.fixture
def root(tmp_path):
    """A project with the call-center product and the company's lists, free to be broken."""
    shutil.copytree("products/call_center", tmp_path / "products/call_center")
    (tmp_path / "company").mkdir()
    for name in ("identifiers.yaml", "people.yaml"):
        shutil.copy(Path("company") / name, tmp_path / "company" / name)
    grant_only(tmp_path / "company/people.yaml", "call-center")
    return tmp_path


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def faults_of(load, path):
    with pytest.raises(InvalidFile) as caught:
        load(path)
    return caught.value.faults


def test_a_product_is_read_with_its_ports(root):
    product = load_product(root / "products/call_center")

    assert (product.id, product.domain) == ("call-center", "customer-service")
    assert product.owner == "call-center@telco.example"
    assert [(p.name, p.contract_id, p.system, p.keep) for p in product.inputs] == [
        ("finished-calls", "call-center.finished-calls", "telephony", "all")
    ]
    outputs = [("calls", "calls.sql"), ("calls-masked", "calls.sql")]
    assert [(p.name, p.sql_path.name) for p in product.outputs] == outputs
    assert len(product.contracts) == 3


# What is replaced in product.yaml, by what (@ stands on the line that must be named), the words.
FAULTS = [
    ("id: call-center\n", "id: callcenter #@\n", "id: call-center"),
    ("apiVersion: v1.1.0", "apiVersion: v1.0.0 #@", "v1.1.0"),
    ("kind: DataProduct", "kind: Product #@", "DataProduct"),
    ("version: 1.0.0\nstatus", "version: 1 #@\nstatus", "1.0.0"),
    ("domain: customer-service", "domain: Customer Service #@", "kebab-case"),
    ("domain: customer-service", "domain: sales #@", "write customer-service"),
    ("  purpose:", "  porpose: #@", "did you mean `purpose`?"),
    ("    - username: call-center@telco.example", "    - username: grace #@", "e-mail"),
    ("      role: owner", "      role: friend", "e-mail"),
    ("    contractId: call-center.calls", "    contractId: call-center.cals #@",
     "write `contractId: call-center.calls`"),
    ("    contractId: call-center.finished-calls", "    contractId: call-center.finished #@",
     "write call-center.finished-calls"),
    ("  - name: calls", "  - name: Calls #@", "kebab-case"),
    ("  - name: calls", "  - nam: calls #@", "did you mean `name`?"),
    ("    version: 1.0.0\n    contractId: call-center.calls",
     "    version: 1.2.0 #@\n    contractId: call-center.calls", "write 1.0.0"),
    ("      - property: system", "      - property: sytem #", "add the customProperty `system`"),
    ("        value: telephony", "        value: Telephony System #@", "kebab-case"),
    ("        value: all", "        value: some #@", "all, latest, none"),
    ("    content: control", "    content: controls #@", "did you mean control?"),
    ("    content: control", "    content: control #@\n    contents: x", "did you mean `content`?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_each_fault_of_a_descriptor_is_found_at_its_line(root, old, new, words):
    path = root / "products/call_center/product.yaml"
    change(path, old, new)
    marked = [i for i, line in enumerate(path.read_text().splitlines(), 1) if "#@" in line]

    said = [(f.line, str(f)) for f in faults_of(load_product, path.parent) if f.path == path]

    lines = range(marked[0], marked[0] + 2) if marked else [line for line, _ in said]
    assert any(line in lines and words in message for line, message in said), said


def test_management_ports_that_are_missing_are_named(root):
    path = root / "products/call_center/product.yaml"
    change(path, "    content: dictionary", "    content: discoverability")

    (fault,) = faults_of(load_product, path.parent)

    assert "no management port for dictionary" in fault.problem


def test_an_output_port_needs_its_sql_and_its_contract(root):
    folder = root / "products/call_center"
    (folder / "calls.sql").unlink()
    (folder / "contracts/calls.odcs.yaml").unlink()

    problems = [str(fault) for fault in faults_of(load_product, folder)]

    assert any("write calls.sql" in one for one in problems)
    assert any("write contracts/calls.odcs.yaml" in one for one in problems)


def test_a_contract_that_no_port_names_is_a_fault(root):
    folder = root / "products/call_center"
    text = (folder / "contracts/calls.odcs.yaml").read_text()
    extra = folder / "contracts/extra.odcs.yaml"
    extra.write_text(text.replace("call-center.calls", "call-center.extra"))

    (fault,) = faults_of(load_product, folder)

    assert (fault.path, fault.line) == (extra, 3)
    assert "no port names" in fault.problem


def test_a_contract_file_is_called_as_its_port(root):
    folder = root / "products/call_center/contracts"
    (folder / "calls.odcs.yaml").rename(folder / "output.odcs.yaml")

    assert "call it calls.odcs.yaml" in str(faults_of(load_product, folder.parent)[0])


def test_a_private_topic_is_no_output(root):
    path = root / "products/call_center/contracts/calls.odcs.yaml"
    change(path, "physicalName: pub.", "physicalName: priv.")

    (fault,) = faults_of(load_product, path.parent.parent)

    assert fault.remedy == "let it begin with pub."


def test_the_faults_of_all_files_are_told_at_once(root):
    change(root / "products/call_center/product.yaml", "status: active", "stat: active")
    change(root / "products/call_center/contracts/calls.odcs.yaml", "value: P30D", "value: long")
    change(root / "company/people.yaml", "role: analyst", "job: analyst")
    change(root / "company/identifiers.yaml", "personal: true", "personal: perhaps")

    files = [fault.path.name for fault in faults_of(load_project, root)]

    assert set(files) == {"product.yaml", "calls.odcs.yaml", "people.yaml", "identifiers.yaml"}


def test_a_project_knows_who_writes_and_who_reads(root):
    project = load_project(root)
    calls, staging = (project.contract(f"call-center.{one}") for one in ("calls", "finished-calls"))

    assert (project.writer_of(calls), project.readers_of(calls)) == (
        "call-center",
        ("ada", "grace"),
    )
    assert project.writer_of(staging) == "telephony"
    assert project.readers_of(staging) == ("call-center", "grace")
    assert project.input_contract(project.products["call-center"].inputs[0]) is staging
    assert project.systems == ("telephony",)


def test_a_product_that_reads_another_is_among_its_readers_where_nobody_is_asked(root):
    reader = root / "products/key_ring"
    shutil.copytree(root / "products/call_center", reader)
    for path in [reader / "product.yaml", *(reader / "contracts").iterdir()]:
        path.write_text(path.read_text().replace("call-center.", "key-ring."))
    change(reader / "product.yaml", "id: call-center\n", "id: key-ring\n")
    text = (reader / "product.yaml").read_text()
    text = text.replace(
        "outputPorts:",
        "  - name: their-calls\n    contractId: call-center.calls\n\noutputPorts:",
        1,
    )
    (reader / "product.yaml").write_text(text.replace("telephony", "switchboard"))

    asks = load_project(root)
    free(root / "products/call_center/contracts/calls.odcs.yaml")
    project = load_project(root)

    assert asks.readers_of(asks.contract("call-center.calls")) == ("ada", "grace")
    assert project.readers_of(project.contract("call-center.calls")) == ("ada", "grace", "key-ring")


def test_an_unknown_contract_is_a_fault_where_it_is_named(root):
    change(root / "company/people.yaml", "call-center.calls", "call-center.cals")

    (fault,) = faults_of(load_project, root)

    assert (fault.path.name, fault.line) == ("people.yaml", 10)
    assert fault.remedy == "did you mean call-center.calls?"


def test_a_person_is_not_called_as_a_product_or_a_system(root):
    change(root / "company/people.yaml", "name: mallory", "name: telephony")

    (fault,) = faults_of(load_project, root)

    assert (fault.path.name, "already" in fault.problem) == ("people.yaml", True)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("people.yaml", "name: grace", "name: ada", "twice"),
        ("people.yaml", "name: grace", "name: Grace Hopper", "kebab-case"),
        ("people.yaml", "purpose: Run", "porpose: Run", "did you mean `purpose`?"),
        ("identifiers.yaml", "name: sim-id", "name: device-id", "twice"),
        ("identifiers.yaml", "'^89[0-9]{17,18}$'", "'('", "regular expression"),
        ("identifiers.yaml", "owner: network", "domain: network", "`owner` is missing"),
    ],
)
def test_the_companys_lists_are_checked(root, name, old, new, words):
    change(root / "company" / name, old, new)

    assert any(words in str(fault) for fault in faults_of(load_project, root))


def test_an_unknown_id_is_answered_with_the_nearest(root):
    project = load_project(root)

    with pytest.raises(WrongUse, match=r"did you mean call-center\.calls\?"):
        project.contract("call-center.call")
    with pytest.raises(WrongUse, match="there are call-center"):
        project.product("zzz")


def test_a_folder_without_products_is_an_empty_project(tmp_path):
    project = load_project(tmp_path)

    assert (project.products, project.people) == ({}, {})


def test_who_owns_a_product_that_is_not_there_is_a_fault(root):
    change(root / "company/people.yaml", "owns: [call-center]", "owns: [call-centre]")

    (fault,) = faults_of(load_project, root)
    assert (fault.path.name, fault.problem) == ("people.yaml", "there is no product call-centre")
    assert fault.remedy == "did you mean call-center?"


def test_owners_are_the_people_who_say_so(root):
    project = load_project(root)

    assert project.owners_of("call-center") == ("grace",)
    assert project.owners_of("other") == ()
