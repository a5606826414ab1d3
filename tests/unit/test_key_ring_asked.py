"""`mesh keyring resolve` says what is no question, whether or not a mesh runs."""

from __future__ import annotations

import pytest

from mesh.cli.keyring import check, sentence
from mesh.cli.main import mesh
from mesh.cli.output import show_table
from mesh.contract.project import Project, load_project
from mesh.errors import NotRunning, WrongUse
from tests.repository import ROOT

NUMBER = {"from": "phone:+12025550123"}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(ROOT)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"from": "+12025550123", "to": "contract"}, "say from what"),
        ({"from": "", "to": "contract"}, "say from what"),
        ({"from": ":", "to": "contract"}, "nothing is no type of identifier"),
        ({"from": "phone:", "to": "contract"}, "is no phone-number"),
        ({"from": f"phone:{'9' * 5000}", "to": "contract"}, "^.{60,200}$"),
        ({"from": "link:7", "to": ""}, "nothing is no type of identifier"),
        ({**NUMBER, "to": "shoe"}, "`shoe` is no type of identifier"),
        ({**NUMBER, "to": "contract", "at": "noon"}, "`noon` is no instant"),
        ({**NUMBER, "to": "contract", "at": ""}, "nothing is no instant"),
        ({**NUMBER, "to": "contract", "known_at": "2026-02-30"}, "`2026-02-30` is no instant"),
        ({**NUMBER, "to": "Customers"}, "there is no customer.*holder.*payer"),
        ({**NUMBER, "to": "person"}, "say --role.*holder.*payer"),
    ],
)
def test_what_is_no_question_is_told_by_the_files_alone(project, asked, problem):
    with pytest.raises(WrongUse, match=problem):
        check(project, asked)


@pytest.fixture
def resolve(monkeypatch, tmp_path):
    """Run the command where no mesh does."""
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> None:
        words = ["keyring", "resolve", "--from", "phone:+12025550123", *arguments]
        mesh.main(words, prog_name="mesh", standalone_mode=False)

    return run


def test_what_is_no_question_is_wrong_use_though_no_mesh_runs(resolve):
    with pytest.raises(WrongUse, match="there is no customer"):
        resolve("--to", "customer")
    with pytest.raises(WrongUse, match="nothing is no instant"):
        resolve("--to", "contract", "--at", "")


def test_what_is_one_is_told_that_no_mesh_runs(resolve):
    with pytest.raises(NotRunning, match="mesh up"):
        resolve("--to", "person", "--role", "payer", "--at", "2026-03-01")


def test_whoever_states_a_relation_moves_no_cursor(capsys):
    """An e-mail address may hold nearly anything."""
    address = "\x1b[2J@\u202ex"
    said = sentence({"state": "known", "answer": address})
    show_table(("to",), [[address]])

    for text in (said, capsys.readouterr().out):
        assert "\\x1b[2J@\\u202ex" in text
        assert not {"\x1b", "\u202e"} & set(text)


def test_a_table_is_as_wide_as_it_must_be_and_cuts_nothing(capsys):
    long = "x" * 500

    show_table(("a", "b", "c"), [("日本", long, "1\n2"), (None, "y", "z")])

    header, first, second, last = capsys.readouterr().out.splitlines()
    assert header == f"a     b{' ' * 501}c"
    assert (first, second) == (f"日本  {long}  1", f"{' ' * 508}2")
    assert last == f"      y{' ' * 501}z"
