"""`mesh dump`: any file becomes a raw product, and nothing of it is lost silently."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from mesh.cli.main import mesh
from mesh.contract.policies import check_product
from mesh.contract.project import load_project
from mesh.errors import WrongUse
from mesh.product.deliveries import batch_ports, deliveries_of, folder_of
from mesh.product.dump import Wish, dump
from tests.dumps import dumped, rejected_of, rows_of, types_of
from tests.repository import ROOT

REAL = ROOT.parent / "shared" / "data" / "vast2008-cell-calls.csv"


@pytest.fixture
def root(tmp_path):
    """A project that knows the company's identifiers and has no product."""
    (tmp_path / "company").mkdir()
    shutil.copy(ROOT / "company" / "identifiers.yaml", tmp_path / "company")
    (tmp_path / "products").mkdir()
    return tmp_path


def test_a_dump_is_a_product_that_the_loaders_and_policies_take(root):
    found = dumped(root, "call_id,phone_number,n\na,+12025550123,1\nb,+12025550124,2\n")
    product = load_project(root).product("raw")
    assert [each.contract.kind for each in batch_ports(product)] == ["batch"]
    assert product.is_batch_only
    assert [each.name for each in found.port.contract.key_fields] == ["call_id"]
    fields = {each.name: each for each in found.port.contract.fields}
    assert fields["phone_number"].identifier == "phone-number"
    assert fields["phone_number"].is_personal
    errors = [each for each in check_product(product, load_project(root)) if each.level == "error"]
    assert errors == []


def test_a_dump_without_an_identifier_is_warned_of_until_its_owner_accepts_it(root):
    found = dumped(root, "a,b\n1,x\n2,y\n")
    levels = {e.fault.rule: e.level for e in check_product(found.product, load_project(root))}
    assert levels["identifier-held"] == "warning"
    path = found.port.contract.path
    path.write_text(path.read_text().replace("status: draft", "status: active"))
    project = load_project(root)
    levels = {e.fault.rule: e.level for e in check_product(project.product("raw"), project)}
    assert levels["identifier-held"] == "error"


def test_a_newer_file_is_a_second_delivery_and_the_older_rows_stay(root):
    dumped(root, "id,b\n1,x\n2,y\n")
    found = dumped(root, "id,b\n1,x\n2,y\n3,z\n")
    assert found.count_deliveries == 2
    assert rows_of(found) == [(1, "x"), (2, "y"), (3, "z")]
    first, second = deliveries_of(found.product, found.port)
    assert (first.rows, second.rows) == (2, 3)
    old = folder_of(found.product, found.port) / f"{first.stem}.parquet"
    assert pq.read_table(old).num_rows == 2


def test_the_same_bytes_are_no_delivery(root):
    dumped(root, "id,b\n1,x\n2,y\n")
    with pytest.raises(WrongUse, match="byte for byte"):
        dumped(root, "id,b\n1,x\n2,y\n")


def test_what_does_not_fit_the_contract_is_set_aside_with_the_reason(root):
    dumped(root, "id,n\n1,5\n2,6\n")
    found = dumped(root, "id,n\n1,5\n2,six\n2,7\n2,8\n,9\n4,1,1\n5\n")
    assert rows_of(found) == [(1, 5), (2, 7)]
    assert dict(found.delivery.rejected) == {
        "key/id": 1,
        "missing-columns": 1,
        "required/id": 1,
        "too-many-columns": 1,
        "type/n": 1,
    }
    reasons = {rule: reason for rule, reason, _ in rejected_of(found)}
    assert reasons["type"] == "n must be a whole number of 64 bits"
    assert ("too-many-columns", "4,1,1") in [(rule, raw) for rule, _, raw in rejected_of(found)]


def test_a_file_with_other_columns_is_refused_and_nothing_changes(root):
    found = dumped(root, "id,b\n1,x\n2,y\n")
    with pytest.raises(WrongUse, match="no column b"):
        dumped(root, "id\n1\n2\n")
    with pytest.raises(WrongUse, match="--leave-out c"):
        dumped(root, "id,b,c\n1,x,1\n")
    assert len(deliveries_of(found.product, found.port)) == 1
    assert dumped(root, "id,b,c\n1,x,1\n", leave_out=("c",)).delivery.rows == 1


def test_a_file_without_names_is_read_from_its_first_row(root):
    found = dumped(root, "1,+12025550123\n2,+12025550124\n")
    assert len(rows_of(found)) == 2
    assert any("--header" in note for note in found.notes)


def test_what_stands_above_the_header_is_set_aside(root):
    found = dumped(root, "Report of June\n\na,b\n1,2\n3,4\n")
    assert rows_of(found) == [(1, 2), (3, 4)]
    assert "Report of June" in [raw for *_, raw in rejected_of(found)]


def test_nuls_long_lines_quotes_and_mixed_line_ends_are_kept(root):
    long = "y" * 3_000_000
    content = f'id,b\r\n1,x\0y\n2,{long}\r\n3,"a ""quoted""\nvalue"\n'
    found = dumped(root, content)
    assert rows_of(found) == [(1, "x\0y"), (2, long), (3, 'a "quoted"\nvalue')]


def test_a_line_that_is_too_long_to_be_a_row_is_set_aside_whole(root):
    long = "y" * 17_000_000
    found = dumped(root, f"id,b\n1,x\n2,{long}\n3,z\n")
    assert rows_of(found) == [(1, "x"), (3, "z")]
    assert rejected_of(found)[0][2] == f"2,{long}"


def test_two_hundred_columns_are_read(root):
    head = ",".join(f"Column {number}" for number in range(200))
    lines = "".join(",".join(str(row * 200 + n) for n in range(200)) + "\n" for row in range(20))
    found = dumped(root, f"{head}\n{lines}")
    assert (len(found.port.contract.fields), found.delivery.rows) == (200, 20)


def test_rows_that_nothing_tells_apart_have_the_place_in_the_file_as_key(root):
    found = dumped(root, "a,b\n1,x\n1,x\n")
    assert [each.name for each in found.port.contract.key_fields] == ["row_number"]
    assert rows_of(found) == [(1, 1, "x"), (2, 1, "x")]


def test_two_columns_that_tell_rows_apart_together_are_the_key(root):
    found = dumped(root, "a,b\n1,1\n1,2\n2,1\n2,2\n")
    assert [each.name for each in found.port.contract.key_fields] == ["a", "b"]


def test_json_lines_are_read_and_what_is_no_object_is_set_aside(root):
    lines = ['{"id": 1, "a/b": {"x": [1]}}', '{"id": 2, "c": "t"}', "nope", '{"id": 3, "id": 4}']
    found = dumped(root, "\n".join([*lines, '{"id": 5}', '{"id": 6}']) + "\n")
    assert rows_of(found)[:2] == [(1, '{"x":[1]}', None), (2, None, "t")]
    assert sorted(reason for _, reason, _ in rejected_of(found)) == [
        "it is no JSON",
        "it names a key twice",
    ]


def test_a_file_that_gzip_packed_is_unpacked(root):
    assert rows_of(dumped(root, gzip.compress(b"id,b\n1,x\n2,y\n"))) == [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b\n", "has no row"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"%PDF-1.7", "PDF"),
        (b"<html></html>", "a page"),
        (b'[{"a": 1}]', "one JSON object a line"),
        (b"PAR1 and then nothing", "cannot be read"),
        (bytes(range(256)) * 40, "is no text"),
        (b'a,b\n1,"open\n2,x\n', "opens a quote in line 2"),
        (b"Dear all, a letter.\nIt has, some, commas, here.\nNone here\nBut, no.\n", "not look"),
    ],
)
def test_what_is_no_table_is_refused_in_words_and_leaves_nothing(root, content, said):
    with pytest.raises(WrongUse, match=said):
        dumped(root, content)
    assert list((root / "products").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": Path("nowhere.csv")}, "no file"),
        ({"file": Path("/")}, "a folder"),
        ({"name": "Raw Calls"}, "kebab-case"),
        ({"domain": "../up"}, "kebab-case"),
        ({"name": "mesh-sql"}, "a name of the platform's own: choose another name or domain"),
        ({"domain": "mesh"}, "a name of the platform's own: choose another name or domain"),
        ({"owner": "me"}, "no e-mail"),
    ],
)
def test_a_wrong_wish_is_refused(root, change, said):
    (root / "a.csv").write_text("id,b\n1,2\n")
    wish = {"file": root / "a.csv", "domain": "network", "name": "raw", **change}
    with pytest.raises(WrongUse, match=said):
        dump(root, load_project(root), Wish(**wish))
    assert list((root / "products").iterdir()) == []


def test_an_encoding_that_does_not_fit_is_said(root):
    with pytest.raises(WrongUse, match="no encoding"):
        dumped(root, "a\n1\n", encoding="klingon")
    with pytest.raises(WrongUse, match="--encoding"):
        dumped(root, "a;b\nä;1\n", encoding="ascii")


def test_the_contract_that_is_written_asks_what_only_a_person_knows(root):
    found = dumped(root, "Birth Name,uid\nx,6f9619ff-8b86-4d01-b42d-00cf4fc964ff\n")
    text = found.port.contract.path.read_text()
    assert "birth_name: is it personal?" in text
    assert "uid: does it hold an identifier, call-id?" in text
    assert yaml.safe_load(text)["servers"][0]["path"] == "data/raw/current.parquet"


def test_the_command_says_what_it_did_as_json(root, monkeypatch):
    monkeypatch.setenv("MESH_PROJECT", str(root))
    (root / "a.csv").write_text("id,phone\n1,+12025550123\n2,+12025550124\n")
    command = ["dump", str(root / "a.csv"), "--domain", "network", "--name", "raw", "--json"]
    result = CliRunner().invoke(mesh, command)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["rows"], document["deliveries"], document["key"]) == (2, 1, ["id"])


@pytest.mark.skipif(not REAL.exists(), reason="the file of real calls is not on this machine")
def test_real_calls_that_nobody_here_wrote_are_read_whole(root):
    found = dump(root, load_project(root), Wish(file=REAL, domain="network", name="cell-calls"))
    assert (found.delivery.rows, dict(found.delivery.rejected)) == (9834, {})
    assert types_of(found)["datetime"] == "timestamp"


def test_the_commands_of_the_page_make_a_product_and_its_second_delivery(root, monkeypatch):
    monkeypatch.setenv("MESH_PROJECT", str(root))
    monkeypatch.chdir(root)
    (root / "export.csv").write_text("id,b\n1,x\n2,y\n")
    (root / "export-of-june.csv").write_text("id,b\n1,x\n3,z\n")
    for command in (
        "mesh dump export.csv --domain network --name cell-calls",
        "mesh dump export-of-june.csv --domain network --name cell-calls",
    ):
        result = CliRunner().invoke(mesh, command.split()[1:])
        assert result.exit_code == 0, result.output
    assert "cell-calls: delivery 2, 2 rows with the key id; 0 set aside" in result.output
