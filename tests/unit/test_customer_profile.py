"""The unified view, brought up by its keys and needs files, says what its whole query says.

Over small worlds in which links lead somewhere; in `test_every_state_port` their ends do not meet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mesh.contract.model import Contract
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.plan import Plan, plan_product
from mesh.product.state_port import StatePort
from tests.repository import ROOT

PRODUCT, STEPS = "customer-profile", 40
NUMBERS, CONTRACTS = ["+12025550101", "+12025550102"], ["C-000000018", "C-000000026"]
ACCOUNTS, PERSONS = ["B-000000018", "B-000000026"], ["P-000001", "P-000002"]
ENDS = {
    "phone-number-contract": (NUMBERS, CONTRACTS),
    "contract-billing-account": (CONTRACTS, ACCOUNTS),
    "billing-account-payer": (ACCOUNTS, PERSONS),
    "contract-household": (CONTRACTS, ["H-00001"]),
    **{f"contract-{role}": (CONTRACTS, PERSONS) for role in ("user", "holder", "resident")},
}
Row = dict[str, Any]


def instant(draw: random.Random, *others: None) -> datetime | None:
    """One of a few instants, or one of *others*."""
    found = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n) for n in range(4)]
    return draw.choice([*found, *others])


def drawn(draw: random.Random, name: str) -> Row:
    """A row of an input; its key is one of few."""
    if name == "links":
        relation = draw.choice([*ENDS])
        one, other = (draw.choice(each) for each in ENDS[relation])
        return {
            "relation": relation, "statement_id": draw.choice("abc"), "from_id": one,
            "to_id": other, "holds": draw.random() < 0.9,
            "valid_from": instant(draw, None), "valid_to": instant(draw, None, None, None, None),
        }  # fmt: skip
    number, invoice = draw.randrange(6), f"I-00000000{draw.randrange(3)}"
    return {
        "contracts": {"contract_number": draw.choice(CONTRACTS),
                      "state": draw.choice(["active", "active", "closed"])},
        "calls": {"call_id": f"00000000-0000-4000-8000-00000000000{number}",
                  "phone_number": draw.choice(NUMBERS), "started_at": instant(draw),
                  "reason": draw.choice(["a", "b", None])},
        "invoices": {"invoice_id": invoice, "billing_account_number": draw.choice(ACCOUNTS),
                     "issued_at": instant(draw), "amount": 10, "currency": "USD"},
        "payments": {"payment_id": str(number), "invoice_id": invoice,
                     "amount": draw.choice([4, 10]), "currency": "USD"},
    }[name]  # fmt: skip


def loose(contract: Contract) -> pa.Schema:
    """The contract's schema, with whatever does not matter left empty."""
    return pa.schema([each.with_nullable(True) for each in arrow_schema(contract)])


class World:
    """The inputs of the product and its port, in memory."""

    def __init__(self, plan: Plan) -> None:
        (self.output,) = plan.states
        self.inputs = {each.contract.name: each.contract for each in plan.inputs}
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'; set threads = 1; create schema input")
        self.connection.execute("set search_path = 'input,main'")
        for schema, contracts in (
            ("input", self.inputs.values()),
            ("main", [self.output.contract]),
        ):
            for each in contracts:
                columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(each))
                self.connection.execute(f"create table {schema}.{each.name} ({columns})")
        query, contract = self.output.query, self.output.contract
        self.port = StatePort(self.connection, contract, query, lambda rows: (rows, []))

    def step(self, draw: random.Random) -> None:
        """One batch: some rows come, in place of those that had their keys, or only go."""
        changed = {name: loose(each).empty_table() for name, each in self.inputs.items()}
        for name in draw.choices([*self.inputs, "links", "links"], k=draw.randint(1, 4)):
            images = [changed[name], *self.replaced(name, drawn(draw, name), draw.random() < 0.8)]
            changed[name] = pa.concat_tables(images)
        self.port.change(changed)

    def replaced(self, name: str, row: Row, comes: bool) -> Iterator[pa.Table]:
        """The old image of a row and, where it comes, the new one."""
        schema = loose(self.inputs[name])
        same = " and ".join(f"{each.name} = ?" for each in self.inputs[name].key_fields)
        key = [row[each.name] for each in self.inputs[name].key_fields]
        old = f"from input.{name} where {same}"
        yield self.connection.execute(f"select * {old}", key).to_arrow_table().cast(schema)
        self.connection.execute(f"delete {old}", key)
        if comes:
            new = pa.Table.from_pylist([row], schema)
            self.connection.register("_new", new)
            self.connection.execute(f"insert into input.{name} by name select * from _new")
            yield new

    def differs(self) -> set[tuple[Any, ...]]:
        """Rows of the table and not of the whole query, and the other way round."""
        # As text, since DuckDB makes Python's instants by a library that we do not have.
        names = ", ".join(f"{each.name}::varchar" for each in self.output.contract.fields)
        table, whole = (
            set(self.connection.sql(f"select {names} from {each}").fetchall())
            for each in ("profiles", f"({self.output.query.sql})")
        )
        return table ^ whole


def first_difference(plan: Plan, seed: int) -> set[tuple[Any, ...]]:
    """What the port and its whole query differ in, at the first step at which they do."""
    draw, world = random.Random(seed), World(plan)  # noqa: S311 - no secret is drawn
    for _ in range(STEPS):
        world.step(draw)
        if found := world.differs():
            return found
    assert world.connection.sql("from profiles").to_arrow_table().num_rows, "nothing was tried"
    return set()


@pytest.mark.parametrize("seed", range(3))
def test_however_its_inputs_are_cut_the_view_says_what_its_whole_query_says(seed):
    assert first_difference(plan_product(load_project(ROOT), PRODUCT), seed) == set()
