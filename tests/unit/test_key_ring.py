"""The key ring answers as a naive model does, whatever was stated, in whatever order it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract.model import Relation
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.plan import Plan, plan_product
from mesh.product.state_port import StatePort
from products.key_ring.chains import Chains
from products.key_ring.resolve import resolve
from products.key_ring.ring import Ring
from tests.keyring import CARDINALITIES, Said, follow
from tests.repository import ROOT

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# Relation, its ends, and which identifiers stand there.
PHONES, CONTRACTS, PEOPLE = ("+1", "+2", "+3"), ("C-1", "C-2", "C-3"), ("P-1", "P-2")
ENDS = {
    "phone-number-contract": (("phone-number", PHONES), ("contract-number", CONTRACTS)),
    "contract-holder": (("contract-number", CONTRACTS), ("person-id", PEOPLE)),
    "contract-resident": (("contract-number", CONTRACTS), ("person-id", PEOPLE)),
}
CHAINS = (
    ("phone-number", "contract-number", None),
    ("contract-number", "phone-number", None),
    ("phone-number", "person-id", "holder"),
    ("phone-number", "person-id", "resident"),
    ("person-id", "phone-number", "holder"),
)
LATEST = 40


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_product(load_project(ROOT), "key-ring")


instants = st.integers(0, 10)
ends = st.none() | instants


@st.composite
def statements(draw) -> list[Said]:
    """Statements of every kind: late, corrected, taken back, in dispute, said twice."""
    said = []
    for number in range(draw(st.integers(1, 14))):
        relation = draw(st.sampled_from(sorted(ENDS)))
        (_, ones), (_, others) = ENDS[relation]
        said.append(
            Said(
                relation=relation,
                # Messages of one batch have one time.
                at=draw(st.integers(0, 12)),
                partition=draw(st.integers(0, 1)),
                offset=number,
                statement=f"s{draw(st.integers(0, 2 * number))}",
                link=draw(st.sampled_from(["l1", "l2", "l3", "l4"])),
                one=draw(st.sampled_from(ones)),
                other=draw(st.sampled_from(others)),
                start=draw(ends),
                end=draw(ends),
                is_retracted=draw(st.integers(0, 5)) == 0,
            )
        )
    return said


kinds = st.fixed_dictionaries({name: st.sampled_from(sorted(CARDINALITIES)) for name in ENDS})


class Bench:
    """The two ports of the key ring over one storage, and a ring in memory that follows them."""

    def __init__(self, plan: Plan, kinds: dict[str, str]) -> None:
        self.kinds = kinds
        self.table = plan.families[0].table
        self.connection = connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'; create schema input")
        connection.execute("set search_path = 'input,main'")
        make(connection, "input.statements", self.table)
        self.ports = {}
        for each in plan.states:
            make(connection, f"main.{each.contract.name}", each.contract)
            port = StatePort(connection, each.contract, each.query, lambda rows: (rows, []))
            self.ports[each.contract.name] = (port, each)
        self.ring = Ring()

    def rows(self, said: list[Said]) -> pa.Table:
        """Statements as rows of the family's table."""
        return pa.Table.from_pylist(
            [
                {
                    "relation": each.relation, "from_type": ENDS[each.relation][0][0],
                    "to_type": ENDS[each.relation][1][0], "cardinality": self.kinds[each.relation],
                    "authority": "x", "topic": each.relation, "partition": each.partition,
                    "offset": each.offset, "recorded_at": instant(each.at),
                    "statement_id": each.statement, "link_id": each.link, "from_id": each.one,
                    "to_id": each.other, "valid_from": instant(each.start),
                    "valid_to": instant(each.end), "retracted": each.is_retracted,
                }
                for each in said
            ],
            arrow_schema(self.table),
        )  # fmt: skip

    def take_in(self, said: list[Said]) -> None:
        self.connection.register("_rows", rows := self.rows(said))
        self.connection.execute("insert into input.statements by name select * from _rows")
        self.change(rows)

    def erase(self, said: list[Said]) -> None:
        places = ", ".join(f"('{e.relation}', {e.partition}, {e.offset})" for e in said)
        self.connection.execute(
            f'delete from input.statements where (topic, "partition", "offset") in ({places})'
        )
        self.change(self.rows(said))

    def change(self, rows: pa.Table) -> None:
        """Compute both ports, hand the changes to the ring, and compare with the whole queries."""
        for name, (port, output) in self.ports.items():
            change = port.change({"statements": rows})
            gone = [tuple(row.values()) for row in change.gone.to_pylist()]
            if name == "links":
                self.ring.drop(gone)
                self.ring.put(change.rows)
            else:
                self.ring.drop_disputes(gone)
                self.ring.put_disputes(change.rows)
            names = ", ".join(f'"{each.name}"' for each in output.contract.fields)
            found = self.connection.sql(f"select {names} from main.{name} order by all")
            whole = self.connection.sql(f"select {names} from ({output.query.sql}\n) order by all")
            assert found.to_arrow_table() == whole.to_arrow_table()


def make(connection, table, contract) -> None:
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(contract))
    # An input's table has the origin of its rows beside them.
    origin = ", _partition int, _offset bigint" if table.startswith("input") else ""
    connection.execute(f"create table {table} ({columns}{origin})")


def instant(number: int | None) -> datetime | None:
    return None if number is None else EPOCH + timedelta(microseconds=number)


def micros(number: int) -> int:
    return int(EPOCH.timestamp()) * 1_000_000 + number


def relations(kinds: dict[str, str]) -> list[Relation]:
    return [
        Relation(
            name=name, from_type=one[0], to_type=other[0], cardinality=kinds[name], meaning=name
        )
        for name, (one, other) in ENDS.items()
    ]


def assert_answers(bench: Bench, said: list[Said], kinds: dict[str, str], at: int, known_at: int):
    """Every chain from every identifier leads where the naive model says."""
    identifiers = {each[0]: each[1] for pair in ENDS.values() for each in pair}
    for start, end, role in CHAINS:
        chain = Chains(relations(kinds)).find(start, end, role)
        steps = [(step.relation.name, step.forward) for step in chain]
        for one in identifiers[start]:
            asked = None if known_at == LATEST else micros(known_at)
            answer = resolve(bench.ring, chain, one, micros(at), asked)
            wanted, came = follow(said, kinds, steps, one, at, known_at)
            assert set(answer.candidates) == wanted
            assert answer.is_whole == (came == len(chain))
            assert (answer.answer is None) == (not answer.is_whole or len(wanted) > 1)
            assert_path(answer, one)


def assert_path(answer, start: str) -> None:
    """The path is whole: each link starts where another ended."""
    here = {start}
    for hop in answer.path:
        assert hop.statement.end(forward=not hop.step.forward) in here
        here.add(hop.statement.end(forward=hop.step.forward))
    assert set(answer.candidates) <= here


@settings(max_examples=60, deadline=None)
@given(data=st.data(), said=statements(), kinds=kinds)
def test_any_statements_in_any_order_answer_as_the_naive_model(plan, data, said, kinds):
    bench = Bench(plan, kinds)
    arrivals = data.draw(st.permutations(said), label="order of arrival")
    while arrivals:
        count = data.draw(st.integers(1, len(arrivals)), label="batch")
        bench.take_in(list(arrivals[:count]))
        arrivals = arrivals[count:]
    gone = data.draw(st.lists(st.sampled_from(said), max_size=2, unique=True), label="erased")
    if gone:
        bench.erase(gone)
    left = [each for each in said if each not in gone]

    for _ in range(3):
        at, known_at = data.draw(instants), data.draw(st.integers(-1, 13) | st.just(LATEST))
        assert_answers(bench, left, kinds, at, known_at)


def test_what_was_said_before_counts_again_once_what_was_said_after_it_is_erased(plan):
    """The ports and their whole queries agree, which the bench asserts after each step."""
    phones = "phone-number-contract"
    bench = Bench(plan, dict.fromkeys(ENDS, "many-to-many") | {phones: "many-to-one"})
    later = Said(phones, 2, 0, 13, "s1", "l1", "+1", "C-1", None, 0, True)
    said = [
        Said(phones, 1, 0, 2, "s1", "l3", "+1", "C-1", None, None, True),
        Said(phones, 1, 0, 4, "s0", "l1", "+1", "C-1", None, None, False),
        Said(phones, 0, 0, 8, "s6", "l3", "+1", "C-2", None, None, False),
        later,
    ]

    bench.take_in(said)
    bench.erase([later])
