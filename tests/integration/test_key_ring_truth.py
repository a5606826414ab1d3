"""The key ring against the company's truth: every record of the world, through the products' SQL.

No broker: what is tried here are the queries of three products, over two million records, and
the answers in bulk. The truth is computed from the world alone and shares nothing with them.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company.billing_system import Billing, kept, links
from company.crm_system import Crm
from company.truth import homes, of_contracts, of_numbers, pairs, residents_at
from company.world import World, build
from mesh.contract.project import load_project
from mesh.contract.types import duckdb_columns
from mesh.product.causes import CAUSES
from mesh.product.duck import connect_memory, quoted
from mesh.product.family import Member
from mesh.product.plan import Plan, plan_product
from mesh.product.planned import Planned
from mesh.product.transform import CAUSE
from products.key_ring.bulk import resolve_all
from products.key_ring.chains import Chains
from products.key_ring.resolve import resolve
from products.key_ring.ring import Ring
from tests.repository import ROOT

pytestmark = pytest.mark.slow

SEED, MANY, MANY_HOMES, BATCH = 1, 200_000, 50_000, 200_000
# What a product takes in at once.
INTAKE = 10_000
# What is asked of a number, its role, and what the truth calls it.
ASKED = [
    ("contract-number", None, "contract_number"),
    ("billing-account-number", None, "billing_account_number"),
    ("person-id", "holder", "holder_id"),
    ("person-id", "user", "user_id"),
    ("person-id", "payer", "payer_id"),
    ("person-id", "administrator", "administrator_id"),
    ("household-id", None, "household_id"),
    # Nobody states who is in a household, so it stands for them.
    ("person-id", "household", "household_id"),
]


@pytest.fixture(scope="module")
def project():
    return load_project(ROOT)


@pytest.fixture(scope="module")
def members(project) -> dict[str, Member]:
    """The relation ports of the key ring's family, by contract."""
    plan = plan_product(project, "key-ring")
    return {each.contract.id: each.member for each in plan.inputs if each.member is not None}


@pytest.fixture(scope="module")
def ring(project, members) -> Iterator[duckdb.DuckDBPyConnection]:
    """The key ring's ports, computed whole over all that CRM and billing ever write."""
    plan = plan_product(project, "key-ring")
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; create schema input")
    connection.execute("set search_path = 'input,main'")
    table = plan.families[0].table
    columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in duckdb_columns(table))
    connection.execute(f"create table input.statements ({columns})")
    connection.execute("create temp table arrived as from input.statements")
    for product in ("contracts", "billing"):
        for rows in statements(plan_product(project, product), members):
            connection.register("_rows", rows)
            connection.execute("insert into arrived by name select * from _rows")
    # In whatever order they arrive, within a relation too.
    connection.execute("insert into input.statements from arrived order by hash(statement_id)")
    for each in plan.states:
        name = quoted(each.contract.name)
        connection.execute(f"create table main.{name} as {each.query.sql}")
    yield connection
    connection.close()


def statements(plan: Plan, members: dict[str, Member]) -> Iterator[pa.Table]:
    """What a product's relation ports say of its system's records, each stamped when it came."""
    memory, came = Planned(connect_memory()), 0
    ports = [each for each in plan.events if each.contract.id in members]
    for batch in EVERYTHING[plan.product.id]():
        for name, records in taken_in(batch):
            count = records.num_rows
            causes = stamped(count, came)
            came += count
            rows = records.append_column(CAUSE, pa.array(np.arange(count)))
            for port in ports:
                if port.source.name == name.replace("-", "_"):
                    said, failures = port.query.run(memory, rows)
                    assert not failures
                    found, misfits = members[port.contract.id].take(said, causes)
                    assert not misfits
                    yield found.drop_columns([CAUSE])


def taken_in(batch: dict[str, pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """The records of each port, so many at once."""
    for name, records in batch.items():
        for start in range(0, records.num_rows, INTAKE):
            yield name, records.slice(start, INTAKE)


def of_crm() -> Iterator[dict[str, pa.Table]]:
    """All records of the CRM, in the order in which it writes them: late ones, corrections."""
    crm = Crm()
    yield from crm.batches(SEED, crm.count_until(SEED, 2**62), batch_rows=BATCH)


def of_billing() -> Iterator[dict[str, pa.Table]]:
    """All that billing ever writes of accounts and payers; invoices are no links."""
    journal = kept(SEED, Billing().troubles)
    yield {port: rows for port, _, rows in links(journal, 0, len(journal))}


EVERYTHING = {"contracts": of_crm, "billing": of_billing}


def stamped(count: int, start: int) -> pa.Table:
    """Messages number *start* and after, a millisecond apart."""
    offsets = np.arange(start, start + count)
    return pa.table(
        {
            "topic": ["t"] * count,
            "partition": [0] * count,
            "offset": offsets,
            "time": pa.array(offsets * 1000).cast(pa.timestamp("us", "UTC")),
            "trace": pa.nulls(count, pa.string()),
        },
        schema=CAUSES,
    )


@pytest.fixture(scope="module")
def world() -> World:
    return build(SEED)


@pytest.fixture(scope="module")
def truth(world) -> pa.Table:
    asked = pairs(world, np.arange(MANY))
    return of_numbers(world, asked["phone_number"], asked["at"])


@pytest.fixture(scope="module")
def chains(members) -> Chains:
    return Chains([each.relation for each in members.values()])


def assert_right(answers: pa.Array, right: pa.Array, is_resolvable: pa.Array) -> None:
    """Nearly all can be resolved, and of those all are right."""
    resolvable = pc.and_(is_resolvable, pc.is_valid(right))
    assert pc.mean(pc.cast(resolvable, pa.float64())).as_py() >= 0.95
    wrong = pc.not_equal(answers.filter(resolvable), right.filter(resolvable))
    assert pc.sum(pc.fill_null(wrong, True)).as_py() == 0


@pytest.mark.parametrize(("end", "role", "column"), ASKED)
def test_every_resolvable_pair_is_answered_as_the_world_has_it(
    ring, chains, truth, end, role, column
):
    questions = pa.table({"id": truth["phone_number"], "at": truth["at"]})

    answers = resolve_all(ring, chains.find("phone-number", end, role), questions)["answer"]

    assert_right(answers, truth[column], truth["is_resolvable"])


def test_the_household_of_internet_at_home_is_as_the_world_has_it(ring, chains, world):
    asked = homes(world, np.arange(MANY))
    right = of_contracts(world, asked["contract_number"], asked["at"])
    questions = asked.rename_columns(["id", "at"])

    chain = chains.find("contract-number", "household-id", None)
    answers = resolve_all(ring, chain, questions)["answer"]

    assert_right(answers, right["household_id"], right["is_resolvable"])
    # Before a contract has begun.
    nobody = answers.filter(pc.invert(right["is_resolvable"]))
    assert nobody.null_count == len(nobody) > 1_000


def test_every_resident_is_found_and_nobody_else(ring, chains, world):
    asked = homes(world, np.arange(MANY_HOMES))
    right = residents_at(world, asked["contract_number"], asked["at"])
    chain = chains.find("contract-number", "person-id", "resident")
    memory = Ring()
    memory.put(
        ring.sql(
            "select * from main.links where relation = 'contract-resident'"
            " and from_id in (select contract_number from asked)"
        ).to_arrow_table()
    )

    assert pc.mean(pc.cast(right["is_resolvable"], pa.float64())).as_py() >= 0.95
    instants = asked["at"].cast(pa.int64()).to_pylist()
    for row, at in zip(right.to_pylist(), instants, strict=True):
        answer = resolve(memory, chain, row["contract_number"], at)
        assert answer.is_whole == row["is_resolvable"]
        assert list(answer.candidates if answer.is_whole else ()) == row["resident_ids"]
    in_bulk = resolve_all(ring, chain, asked.rename_columns(["id", "at"]))
    assert (
        in_bulk["count_candidates"].to_pylist()
        == pc.list_value_length(right["resident_ids"]).to_pylist()
    )


def test_who_was_behind_a_number_that_nobody_had_is_not_known(ring, chains, truth):
    chain = chains.find("phone-number", "contract-number", None)
    nobody = truth.filter(pc.invert(truth["is_resolvable"]))
    questions = pa.table({"id": nobody["phone_number"], "at": nobody["at"]})

    assert nobody.num_rows > 1_000
    assert resolve_all(ring, chain, questions)["answer"].null_count == nobody.num_rows
