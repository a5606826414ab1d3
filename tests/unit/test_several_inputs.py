"""An event port of several inputs: what came of the one is not taken for what came of the other."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pytest

from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.errors import InvalidFile
from mesh.product.engine import Engine
from mesh.product.intake import Arrival, Deletion
from mesh.product.plan import plan_product
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE
from tests.arrivals import AT, Registered, causes_at
from tests.people import grant_only
from tests.repository import ROOT

PORT, OFFSET = "phone_number_contract", 5


@pytest.fixture
def plan():
    return plan_product(load_project(ROOT), "contracts")


@pytest.fixture
def storage(plan, tmp_path):
    found = Storage.open(tmp_path / "storage.duckdb", plan.tables)
    yield found
    found.close()


@pytest.fixture
def engine(plan, storage):
    return Engine(plan, storage, Registered())


def said(plan, name: str, offset: int, row: dict | None, key: str) -> Arrival:
    """One message of an input: a row, or the tombstone of its key."""
    (source,) = [each for each in plan.inputs if each.name == name]
    schema = arrow_schema(source.contract).append(pa.field(CAUSE, pa.int64()))
    rows = [] if row is None else [{**row, CAUSE: 0}]
    return Arrival(
        source=source,
        rows=pa.Table.from_pylist(rows, schema),
        causes=causes_at(source.contract.topic, 0, offset, 1, AT),
        deletions=(Deletion(cause=0, key=key.encode()),) if row is None else (),
    )


STATEMENT = {"revision": 1, "contract_number": "C-900000018", "valid_from": AT, "retracted": False}
OF_CRM = {
    **STATEMENT, "statement_id": "N-1-1", "link_id": "N-1", "phone_number": "+12025550001",
    "written_at": AT,
}  # fmt: skip
OF_COMMAND = {
    "command_id": "c", "command": "port-number", "idempotency_key": "k", "request_digest": "d",
    "commanded_by": "linus", "accepted_at": AT, "contract_number": "C-900000018",
    "revisions": [],
    "statements": [
        {**STATEMENT, "statement_id": "c-1", "link_id": "c", "has": "number", "id": "+12025550002"},
        {**STATEMENT, "statement_id": "c-2", "link_id": "d", "has": "number", "id": "+12025550003"},
        {**STATEMENT, "statement_id": "c-3", "link_id": "e", "has": "holder", "id": "P-000001"},
    ],
}  # fmt: skip


def take_in(engine: Engine, *arrivals: Arrival) -> list[str | None]:
    """The keys of the port's messages, those of tombstones in brackets."""
    found = []
    for each in engine.take_in(arrivals, {}):
        for row in each.outbox.to_pylist():
            if f".{PORT.replace('_', '-')}." in row["topic"]:
                key = row["key"].decode()
                found.append(f"({key})" if row["value"] is None else key)
    return found


def stored(storage: Storage) -> set[str]:
    rows = storage.connection.execute(f"select statement_id from main.{PORT}").fetchall()
    return {each for (each,) in rows}


def test_a_port_has_the_rows_of_every_input_that_it_maps(plan, engine, storage):
    crm = said(plan, "number_changes", OFFSET, OF_CRM, "N-1-1")
    command = said(plan, "commands", OFFSET, OF_COMMAND, "c")

    published = take_in(engine, crm, command)

    assert published == ["N-1-1", "c-1", "c-2"]
    assert stored(storage) == {*published}


@pytest.mark.parametrize(
    ("erased", "key", "gone", "left"),
    [
        ("commands", "c", ["(c-1)", "(c-2)"], {"N-1-1"}),
        ("number_changes", "N-1-1", ["(N-1-1)"], {"c-1", "c-2"}),
    ],
)
def test_an_erasure_on_one_input_leaves_what_came_of_the_same_place_on_another(
    plan, engine, storage, erased, key, gone, left
):
    take_in(
        engine,
        said(plan, "number_changes", OFFSET, OF_CRM, "N-1-1"),
        said(plan, "commands", OFFSET, OF_COMMAND, "c"),
    )

    published = take_in(engine, said(plan, erased, OFFSET + 1, None, key))

    assert published == gone
    assert stored(storage) == left


def test_rows_of_several_inputs_are_kept_for_ever(tmp_path):
    shutil.copytree(ROOT / "products/contracts", tmp_path / "products/contracts")
    shutil.copytree(ROOT / "company", tmp_path / "company")
    grant_only(tmp_path / "company/people.yaml", "contracts")
    path = tmp_path / f"products/contracts/contracts/{PORT}.odcs.yaml"
    path.write_text(path.read_text().replace("value: forever", "value: P30D"))

    with pytest.raises(InvalidFile, match="maps several inputs"):
        plan_product(load_project(tmp_path), "contracts")
