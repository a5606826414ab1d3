"""`mesh query publish`: the product has the rows of the query, whatever comes, and is whole."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings

from mesh.cli.main import mesh
from mesh.errors import WrongUse
from mesh.product.plan import plan_product
from mesh.query.files import load_queries, load_query
from tests.made import assert_whole, fields_of
from tests.publishing import (
    CALLERS,
    CALLERS_TYPES,
    QUERIES_BY_NAME,
    SHIPPED,
    UNPAID,
    UNPAID_KEYS,
    UNPAID_TYPES,
    beside,
    meeting,
    published,
    put,
)
from tests.repository import ROOT
from tests.shipped import play

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
WRITTEN = {
    "callers": (CALLERS, CALLERS_TYPES, ""),
    "unpaid": (UNPAID, UNPAID_TYPES, ""),
    "unpaid by keys": (UNPAID, UNPAID_TYPES, UNPAID_KEYS),
}
CALLS = "customer_service.call_center.calls"
VALUES = {"repeat-callers": {"since": "2026-03-01", "days": "7"}}


@pytest.fixture
def memory():
    """A folder that no disk has to keep, where there is one: each batch is a commit."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder) / "state"


def hold(query, plan, folder, values=MappingProxyType({})):
    """Try histories of what *plan* reads; how many rows the query had after each batch."""
    seen = []

    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=SLOW)
    @given(history=meeting(plan))
    def holds(history):
        play(plan, history, folder, beside(query, seen, values))

    holds()
    return seen


@pytest.mark.parametrize("query", SHIPPED, ids=lambda each: each.name)
def test_the_product_of_a_query_that_ships_has_its_rows(query, memory, tmp_path):
    plan = plan_product(published(tmp_path, query)[1], "answers")

    assert max(hold(query, plan, memory)) > 1


@pytest.mark.parametrize(("name", "values"), VALUES.items(), ids=VALUES)
def test_the_product_of_a_query_with_parameters_has_its_rows_of_those_values(
    name, values, memory, tmp_path
):
    query = QUERIES_BY_NAME[name]
    created, project = published(tmp_path, query, values=values)
    plan = plan_product(project, "answers")

    assert max(hold(query, plan, memory, values)) > 0
    said = {f"{name} is {value} from now on, in answers.sql" for name, value in values.items()}
    assert said <= {*created.notes}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_product_of_a_query_that_is_written_has_its_rows(name, memory, tmp_path):
    sql, types, keys = WRITTEN[name]
    query = put(tmp_path / "queries", sql, keys=keys, **types)
    project = published(tmp_path, query)[1]

    assert_whole(project, "answers")
    assert max(hold(query, plan_product(project, "answers"), memory)) > 1


def test_an_input_is_not_called_as_a_part_of_the_query(tmp_path):
    created, _ = published(tmp_path, put(tmp_path / "queries", CALLERS, **CALLERS_TYPES))

    assert [each.table for each in created.shape.sources] == [
        "call_center_calls",
        "phone_number_contract",
    ]


def test_a_field_that_is_made_of_personal_ones_is_personal_unless_it_counts(tmp_path):
    sql = f"""
        select call_id::varchar as call_id, max(phone_number) as phone_number,
            max(upper(agent_id)) as who, count(agent_id) as answered, max(queue) as queue
        from {CALLS} group by call_id"""
    query = put(
        tmp_path / "queries", sql, ("call_id",),
        phone_number="string", who="string", answered="integer", queue="string",
    )  # fmt: skip
    created, project = published(tmp_path, query)
    fields = fields_of(project, "answers")

    assert [name for name, each in fields.items() if each.is_personal] == ["phone_number", "who"]
    assert all(fields[each].classification for each in ("phone_number", "who"))
    assert (fields["phone_number"].identifier, fields["call_id"].identifier) == (
        "phone-number",
        "call-id",
    )
    assert fields["who"].identifier is None
    assert "who is personal: it is carried, and marked so" in created.notes


def test_what_the_query_says_of_a_field_stands_in_the_contract(tmp_path):
    sql, folder = f"select agent_id, max(queue) as queue from {CALLS} group by agent_id", tmp_path
    path = put(folder / "queries", sql, ("agent_id",), queue="string").path
    path.write_text(path.read_text().replace("name: queue,", "name: queue, enum: [{value: x}],"))
    (query,) = load_queries(path.parent)
    contract = published(folder, query)[1].contract("answers.answers")

    assert [each.name for each in contract.rules] == ["queue.enum"]
    assert (contract.purpose, contract.access) == ("What a test asks.", "ask")


def test_a_query_may_say_that_a_field_is_not_personal(tmp_path):
    sql = f"select call_id::varchar as call_id, agent_id[:1] as first from {CALLS}"
    path = put(tmp_path / "queries", sql, ("call_id",), first="string").path
    said = "name: first, customProperties: [{property: personal, value: false}],"
    path.write_text(path.read_text().replace("name: first,", said))
    (query,) = load_queries(path.parent)

    assert not fields_of(published(tmp_path, query)[1], "answers")["first"].is_personal


@pytest.mark.parametrize(
    ("keys", "key", "note"),
    [
        (UNPAID_KEYS, None, ""),
        (UNPAID_KEYS.splitlines()[0], None, "does not look at invoices: without a keys file"),
        (UNPAID_KEYS, "contract_number,invoices", "lists another key: without a keys file"),
        ("", None, "no keys file"),
    ],
)
def test_a_keys_file_is_taken_over_where_it_holds_for_a_product(tmp_path, keys, key, note):
    query = put(tmp_path / "queries", UNPAID, keys=keys, **UNPAID_TYPES)
    created, project = published(tmp_path, query, key=key)
    (output,) = plan_product(project, "answers").states

    assert (output.query.keys_sql is None) == bool(note)
    assert note in "\n".join(created.notes)


def test_a_row_is_told_by_the_key_that_is_asked_for(tmp_path):
    sql = f"select call_id::varchar as call_id, queue, agent_id from {CALLS}"
    query = put(tmp_path / "queries", sql, ("call_id", "queue"), agent_id="string")
    created, project = published(tmp_path, query, key="queue", port="of-queues", domain="risk")
    contract = project.contract("answers.of-queues")

    assert [each.name for each in contract.key_fields] == ["queue"]
    assert contract.topic == "pub.risk.answers.of-queues.v1"
    assert "one row per call_id, queue: rows that share a key" in "\n".join(created.notes)


@pytest.mark.parametrize(
    ("change", "wanted", "said"),
    [
        (("count(*)", "count(*) + hour(now())"), {}, "now() is not a function"),
        (("order by calls desc", "limit 3"), {}, "LIMIT"),
        (("max(said)", "any_value(said)"), {}, "depends on the order"),
        (("sales.contracts.phone", "sales.contracts.fone"), {}, "which is no port: did you mean"),
        (("sales.contracts.phone_number_contract", "other"), {}, "write domain.product.port"),
        (("sales.contracts.phone_number_contract", "analytics.reports.porting"), {}, "batch port"),
        (("sales.contracts.phone_number_contract", "marts.a.b"), {}, "read what the mart is made"),
        (("select phone_number", "select distinct *, phone_number"), {}, "name the columns"),
        (("sum(calls.duration_s)", "sum(calls.seconds)"), {}, "DuckDB refuses it"),
        (("as calls,", "as found,"), {}, "DuckDB refuses it"),
        (("with calls", "with call_center_calls as (select 1), calls"), {}, "call it otherwise"),
        (("calls, logicalType: integer", "calls, logicalType: number"), {}, "cast it"),
        (("contract_number", "contract"), {}, "holds no identifier"),
        (("calls", "calls"), {"key": "contract_nr"}, "did you mean contract_number?"),
        (("calls", "calls"), {"key": "calls"}, "calls may be null"),
        (("calls", "calls"), {"key": "contract_number,contract_number"}, "once"),
        (("calls", "calls"), {"owner": "adda"}, "did you mean ada?"),
        (("calls", "calls"), {"port": "A port"}, "no name of a port"),
        (("calls", "calls"), {"name": "billing"}, "is there already"),
        (("calls", "calls"), {"name": "Answers"}, "kebab-case"),
    ],
)
def test_what_is_no_product_is_said_and_leaves_nothing(tmp_path, change, wanted, said):
    query = put(tmp_path / "queries", CALLERS, **CALLERS_TYPES)
    query.path.write_text(query.path.read_text().replace(*change))
    with pytest.raises(WrongUse, match=re.escape(said)):
        published(tmp_path, load_query(query.path), **wanted)

    assert list((tmp_path / "products").iterdir()) == []


def test_the_command_makes_a_product_that_is_valid_and_says_what_is_next(tmp_path, monkeypatch):
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setenv("MESH_PROJECT", str(tmp_path))
    words = shlex.split("mesh query publish calls-per-day --as daily-calls")[1:]
    done = CliRunner().invoke(mesh, [*words, "--json"], catch_exceptions=False)
    document = json.loads(done.output)
    folder = tmp_path / "products" / "daily_calls"
    descriptor = yaml.safe_load((folder / "product.yaml").read_text())

    assert (document["key"], document["cases"]) == (["day", "queue"], 2)
    assert sorted(document["files"]) == sorted(
        str(each.relative_to(folder)) for each in folder.rglob("*.*")
    )
    assert descriptor["team"]["members"][0]["username"] == "ada@telco.example"
    assert "mesh access grant call-center.calls --to daily-calls --as grace" in document["next"]
    for step in ("mesh test daily-calls", "mesh product validate daily-calls"):
        assert step in document["next"]
        assert CliRunner().invoke(mesh, step.split()[1:]).exit_code == 0
    assert "is there already" in str(CliRunner().invoke(mesh, words).exception)
    words[2] = "calls-per-days"
    assert "did you mean calls-per-day?" in str(CliRunner().invoke(mesh, words).exception)
