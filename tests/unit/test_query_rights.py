"""Who is limited to named queries reads what it is granted by them alone, wherever it asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mesh.contract.people import load_people
from mesh.contract.project import Project, load_project
from mesh.control.principals import rights_of
from mesh.errors import InvalidFile
from mesh.query.files import QUERIES, load_queries
from mesh.wiring.granted import Granted
from tests.repository import ROOT

PEOPLE = """\
people:
  - name: board
    domain: marketing
    only: named
    queries: [abandoned-calls, calls-of-a-contract@1.0.0]
    grants:
      - contract: call-center.calls
        purpose: Show the queues on a wall.
"""
CALLS = "call-center.calls"


def people_in(folder: Path, text: str = PEOPLE):
    path = folder / "people.yaml"
    path.write_text(text)
    return load_people(path)


def test_a_person_is_limited_by_one_word_and_may_ask_what_is_named(tmp_path):
    board = people_in(tmp_path)["board"]

    assert board.is_limited
    assert board.may_ask("abandoned-calls", "7.0.0")
    assert board.may_ask("calls-of-a-contract", "1.0.0")
    assert not board.may_ask("calls-of-a-contract", "1.0.1")
    assert not board.may_ask("repeat-callers", "1.0.0")


def test_without_the_word_everything_may_be_asked(tmp_path):
    board = people_in(tmp_path, PEOPLE.replace("    only: named\n", ""))["board"]

    assert board.may_ask("repeat-callers", "1.0.0")


def test_another_word_and_a_query_that_is_not_there_are_faults(tmp_path):
    with pytest.raises(InvalidFile, match="only"):
        people_in(tmp_path, PEOPLE.replace("only: named", "only: sometimes"))
    with pytest.raises(InvalidFile, match="abandoned-cals, and there is no such query"):
        load_queries(
            ROOT / QUERIES, people_in(tmp_path, PEOPLE.replace("abandoned-calls", "abandoned-cals"))
        )


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = load_project(ROOT)
    board = people_in(tmp_path_factory.mktemp("people"))
    return replace(project, people={**project.people, **board})


def test_kafka_lets_nobody_read_a_topic_who_asks_named_queries_alone(limited):
    topic = limited.contract(CALLS).topic
    readers = {each.principal for each in rights_of(limited) if topic in str(each)}

    assert "ada" in readers
    assert "board" not in readers
    assert "board" in limited.readers_of(limited.contract(CALLS))


def test_doors_of_products_are_shut_for_whoever_asks_named_queries_alone(limited):
    granted = Granted(limited)
    granted.take({})
    contract = limited.contract(CALLS)

    assert "board" in granted.readers_of(contract)
    assert "board" not in granted.direct_readers_of(contract)
    assert "ada" in granted.direct_readers_of(contract)
