"""What is written for people is true: commands have help, words and a test that runs them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from mesh.cli.main import mesh
from tests.documents import commands_in
from tests.repository import ROOT, files

MARKDOWN = [path for path in files() if path.suffix == ".md"]
WALKTHROUGHS = [path for path in MARKDOWN if path.parent == ROOT / "walkthroughs"]
CODE = re.compile(r"```.*?```", re.DOTALL)
HEAD_OF_A_TABLE = re.compile(r"\| [a-z ]+ \|[a-z |]*$")
LANGUAGES = ("console", "sh", "bash", "shell")

# Commands that a page shows and another test than tests/e2e/test_documents.py runs.
ELSEWHERE = {
    "./run demo": "tests/unit/test_run.py",
    "./run test": ".ci/run",
    "./run test --tier fast": "tests/unit/test_run.py",
    "./run test --tier fast -k wire": "tests/unit/test_run.py",
    "./run test --tier long": "tests/unit/test_run.py",
    "./run mesh status --json": "tests/unit/test_run.py",
    "./run setup dev": "tests/e2e/test_two_commands.py",
    "mesh dump export.csv --domain network --name cell-calls": "tests/unit/test_dump.py",
    "mesh dump export-of-june.csv --domain network --name cell-calls": "tests/unit/test_dump.py",
    "./run mesh status": "tests/e2e/test_compose.py",
    "./run mesh read calls --limit 3": "tests/e2e/test_compose.py",
    "./run mesh demo --backbone external": "tests/e2e/test_compose.py",
    **dict.fromkeys(
        (
            "mesh query list",
            "mesh query show calls-of-a-contract",
            "mesh query run overdue-per-payer --param day=2026-06-01 --as katherine",
            "mesh query together call-center.calls",
            "mesh query marts",
            "mesh sql 'from marts.marketing.calls_per_day' --as grace",
        ),
        "tests/integration/test_queries.py",
    ),
    "mesh query publish calls-per-day --as daily-calls": "tests/unit/test_query_publish.py",
    "mesh query publish repeat-callers --as callers --param since=2026-01-01 --param days=7": (
        "tests/unit/test_query_fixed.py"
    ),
    "mesh spark key-ring.links --out links": "tests/integration/test_export.py",
    "mesh export calls --out calls.parquet": "tests/integration/test_export.py",
    "./run mesh lineage": "tests/unit/test_columns.py",
    "./run mesh lineage --observed": "tests/integration/test_lineage.py",
    "./run mesh lineage key-ring": "tests/unit/test_columns.py",
    "./run mesh lineage contracts.contracts": "tests/unit/test_columns.py",
    "./run mesh impact contracts.role-changes.role": "tests/unit/test_columns.py",
}


def commands(name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield the command *name* and, if it is a group, those in it, as they are typed."""
    context = click.Context(mesh)
    command = mesh.get_command(context, name)
    assert command is not None, f"mesh {name} is listed and does not exist"
    if isinstance(command, click.Group):
        yield from ((f"mesh {name} {child}", found) for child, found in command.commands.items())
    else:
        yield f"mesh {name}", command


TOP_LEVEL = mesh.list_commands(click.Context(mesh))


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_a_command_has_help_with_an_example(name):
    for typed, command in commands(name):
        words = " ".join((command.help or "").split())

        assert command.get_short_help_str(), typed
        assert f"{typed} " in f"{words} ".partition("Example")[2], f"no example of {typed}"


@pytest.mark.parametrize("words", [[], ["read"], ["audit", "state"], ["keyring"]], ids=" ".join)
def test_examples_are_shown_a_line_each(words):
    shown = CliRunner().invoke(mesh, [*words, "--help"]).output
    lines = [each.strip() for each in shown.splitlines()]

    assert "Example:" in lines
    assert "\\b" not in shown
    assert lines[lines.index("Example:") + 1].startswith("mesh ")


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_a_command_is_written_about(name):
    pages = "\n".join(path.read_text("utf-8") for path in MARKDOWN)

    assert [typed for typed, _ in commands(name) if typed not in pages] == []


def test_the_commands_are_found():
    assert {"up", "demo", "contract"} <= set(TOP_LEVEL)
    assert "mesh contract lint" in [typed for typed, _ in commands("contract")]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_in_a_code_block_is_run_by_a_test(path):
    """By a walkthrough, word for word, or by the test that `ELSEWHERE` names."""
    run = {line for page in WALKTHROUGHS for line in commands_in(page)} | set(ELSEWHERE)
    shown = commands_in(path, LANGUAGES)
    ours = [line for line in shown if line.startswith(("./run ", "mesh ", "python3 run "))]

    assert [line for line in ours if not {line, line.removeprefix("./run ")} & run] == []


@pytest.mark.parametrize(("command", "place"), ELSEWHERE.items())
def test_a_command_that_runs_elsewhere_does(command, place):
    assert command in (ROOT / place).read_text("utf-8")


def test_ci_runs_the_test_command_of_the_readme():
    readme, ci = (ROOT / name for name in ("README.md", ".ci/run"))

    assert "./run test" in commands_in(readme, LANGUAGES)
    assert "./run test" in [
        line.strip().partition(" ||")[0] for line in ci.read_text().splitlines()
    ]


PROSE = [path for path in MARKDOWN if path not in WALKTHROUGHS]


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_no_heading_and_no_row_of_a_table_twice(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    headings = [each for each in lines if each.startswith("## ")]
    rows = [each.split("|")[1].strip() for each in lines if each.startswith("| `")]
    assert headings == list(dict.fromkeys(headings))
    # One name may stand in several tables of a page, but in none next to itself.
    assert [a for a, b in itertools.pairwise(rows) if a == b] == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_heading_has_an_empty_line_before_it(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [b for a, b in itertools.pairwise(lines) if b.startswith("## ") and a] == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_says_no_line_twice(path):
    prose = CODE.sub("", path.read_text(encoding="utf-8")).splitlines()
    lines = [each for each in prose if len(each) > 30 and not HEAD_OF_A_TABLE.match(each)]
    assert [each for each in dict.fromkeys(lines) if lines.count(each) > 1] == []


def test_the_readme_leads_to_every_page_and_walkthrough():
    readme = (ROOT / "README.md").read_text("utf-8")
    pages = [path.relative_to(ROOT).as_posix() for path in MARKDOWN]
    places = ("docs/", "walkthroughs/")
    assert [each for each in pages if each.startswith(places) and f"({each})" not in readme] == []
