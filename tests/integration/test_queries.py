"""Named queries on a real mesh: those that ship have answers; costs outlive the service."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal

import pytest

from mesh.contract.people import load_people
from mesh.query.files import QUERIES, load_queries
from mesh.sql.limits import missing
from tests.life import ROOT, opened, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux"),
]
PORTS = (
    "call-center.calls",
    "contracts.contracts",
    "billing.invoices",
    "billing.payments",
    "key-ring.links",
)
# Whoever reads all that the queries read, and a screen on a wall that shows one of them.
MORE = "\n".join(
    [
        "  - name: tabei",
        "    domain: marketing",
        "    grants:",
        *(f"      - {{contract: {each}, purpose: Ask every query.}}" for each in PORTS),
        "  - name: wall",
        "    domain: customer-service",
        "    only: named",
        "    queries: [abandoned-calls@1.0.0]",
        "    grants:",
        "      - {contract: call-center.calls, purpose: Show the queues.}",
        "",
    ]
)
IN_MART = "mesh sql 'from marts.marketing.calls_per_day' --as grace"
SHIPPED = load_queries(ROOT / QUERIES, load_people(ROOT / "company/people.yaml"))


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """A mesh of its own with all that the queries read: their tables have the shipped names."""
    folder = tmp_path_factory.mktemp("queries")
    for each in ("products", "company"):
        shutil.copytree(ROOT / each, folder / "project" / each)
    with (folder / "project/company/people.yaml").open("a") as people:
        people.write(MORE)
    with opened(folder / "home", MESH_PROJECT=str(folder / "project")) as found:
        found.run("query", "publish", "calls-per-day", "--as", "daily-calls")
        found.run("up")
        found.run("feed", "call-center", "--calls", "6000")
        found.run("feed", "contracts", "--records", "40000")
        found.run("feed", "billing", "--records", "20000")
        for each in ("call-center", "contracts", "billing", "key-ring", "sql"):
            wait_until(lambda name=each: found.service(name).get("lag") == 0)
        yield found


def typed(mesh, line, **more):
    """What a command says, as it is typed."""
    return mesh.run(*shlex.split(line)[1:], **more)


@pytest.mark.parametrize("query", SHIPPED, ids=lambda each: each.name)
def test_a_query_that_ships_has_an_answer_that_keeps_its_contract(mesh, query):
    # On no one day has every system something to say.
    examples = {each.name: str(each.examples[0]) for each in query.parameters}
    days = ["2026-01-05"] if "day" in examples else []
    for values in (examples, *({**examples, "day": each} for each in days)):
        given = [f"--param={name}={value}" for name, value in values.items()]
        said = json.loads(mesh.run("query", "run", query.name, *given, "--as", "tabei", "--json"))
        if said["rows"]:
            break

    assert said["columns"] == [each.name for each in query.result.fields]
    assert said["rows"] != []


def test_the_commands_of_the_page_say_what_there_is(mesh):
    typed(mesh, "mesh query run overdue-per-payer --param day=2026-06-01 --as katherine")
    joined = ("--param=contract_number=C-000057174", "--param=month=2026-01-01", "--as=ada")
    mesh.run("query", "run", "calls-of-a-contract", *joined)

    assert "calls-of-a-contract" in typed(mesh, "mesh query list")
    assert "contract_number" in typed(mesh, "mesh query show calls-of-a-contract")
    wait_until(
        lambda: "phone_number = from_id" in typed(mesh, "mesh query together call-center.calls")
    )


def test_a_mart_that_ships_has_what_is_fed_and_says_for_which_offsets(mesh):
    def mart():
        said = json.loads(typed(mesh, f"{IN_MART} --json"))
        return sorted(said["rows"]), said["offsets"]

    def whole():
        line = "mesh query run calls-per-day --as ada --json"
        return sorted(json.loads(typed(mesh, line))["rows"])

    def told():
        (found,) = json.loads(typed(mesh, "mesh query marts --as grace --json"))
        return found

    wait_until(lambda: told()["refreshed_at"] and not told()["is_behind"])
    assert mart()[0] == whole()
    before = mart()[1]["marts.calls-per-day"]
    mesh.run("feed", "call-center", "--calls", "6400")
    wait_until(lambda: mart()[1]["marts.calls-per-day"] != before)
    wait_until(lambda: mesh.service("sql").get("lag") == 0 and not told()["is_behind"])

    assert mart()[0] == whole()
    assert (told()["is_part"], told()["inputs"]) == (True, ["call-center.calls"])
    assert "calls_per_day" in typed(mesh, "mesh query marts")


def test_the_stream_of_a_published_query_is_its_answer_at_the_same_offsets(mesh):
    def asked():
        return json.loads(typed(mesh, "mesh query run calls-per-day --as ada --json"))

    def counted(said):
        return sum(row[said["columns"].index("calls")] for row in said["rows"])

    def same_after(least):
        """The answer, once it has more than *least* calls and the stream has its rows."""
        said = asked()
        line = "mesh read daily-calls --all --as daily-calls --json"
        read = json.loads(typed(mesh, line))
        is_still = asked()["offsets"] == said["offsets"]
        is_same = read["columns"] == said["columns"] and sorted(read["rows"]) == sorted(
            said["rows"]
        )
        return said if is_still and is_same and counted(said) > least else None

    typed(mesh, "mesh access grant call-center.calls --to daily-calls --as grace")
    first = wait_until(lambda: same_after(0))
    mesh.run("feed", "call-center", "--calls", "6600")
    second = wait_until(lambda: same_after(counted(first)))

    assert second["offsets"] != first["offsets"]


def test_whoever_is_limited_is_answered_the_query_and_is_refused_sql_and_rows(mesh):
    day = "--param=day=2026-01-05"
    assert "queue" in mesh.run("query", "run", "abandoned-calls", day, "--as", "wall")
    for words in (
        ("sql", "select 1", "--explain"),
        ("query", "run", "repeat-callers", day),
        ("read", "calls"),
    ):
        mesh.run(*words, "--as", "wall", code=1)


def test_a_query_is_registered_with_the_mesh_that_runs(mesh, tmp_path):
    text = (ROOT / QUERIES / "abandoned-calls.sql").read_text()
    path = tmp_path / "nobody-answered.sql"
    path.write_text(text.replace("abandoned-calls", "nobody-answered"))
    mesh.run("query", "register", str(path))

    said = mesh.run("query", "run", "nobody-answered", "--param=day=2026-01-05", "--as", "ada")
    assert "abandoned" in said


def test_costs_and_runs_are_kept_when_the_service_is_killed(mesh):
    def runs():
        found = mesh.result("query", "show", "abandoned-calls", "--as", "ada", "--json")
        return json.loads(found.stdout)["runs"] if not found.returncode else None

    mesh.run("query", "run", "abandoned-calls", "--param=day=2026-01-06", "--as", "ada")
    wait_until(lambda: "ada" in [each["principal"] for each in runs()])
    before, pid = runs(), mesh.service("sql")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: mesh.service("sql")["pid"] not in (None, pid))

    assert wait_until(runs) == before
