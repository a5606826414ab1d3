"""`mesh dump` says where a file may be no table at all."""

from __future__ import annotations

import json
import shutil

from click.testing import CliRunner

from mesh.cli.main import mesh
from tests.dumps import dumped


def test_what_is_no_table_is_a_dump_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("MESH_PROJECT", str(tmp_path))
    names = ["--domain", "network", "--name", "users"]
    said = CliRunner().invoke(mesh, ["dump", "/etc/passwd", *names])
    assert said.exit_code == 0, said.output
    assert "warning: /etc/passwd was read as one column, so it may be no table" in said.stderr
    shutil.rmtree(tmp_path / "products" / "users")
    again = CliRunner().invoke(mesh, ["dump", "/etc/passwd", *names, "--delimiter", ":", "--json"])
    found = json.loads(again.stdout)
    assert found["warning"] is None
    assert len(found["fields"]) == 7


def test_a_column_that_a_person_says_is_one_is_not_doubted(tmp_path):
    assert dumped(tmp_path, "name\na\nb\n").warning
    assert not dumped(tmp_path, "name\na\nb\n", name="other", delimiter=",").warning
    assert not dumped(tmp_path, "name,n\na,1\nb,2\n", name="third").warning
