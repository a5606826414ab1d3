"""Spark makes the rows of every state port that ships, of the same inputs, by the same SQL."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mesh.batch.differences import compared
from mesh.batch.inputs import write_inputs
from mesh.batch.parquet import write
from mesh.batch.spark import Spark
from mesh.batch.translation import to_spark
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.contract.yamlfile import read_yaml
from mesh.errors import MeshError
from mesh.product.cases import typed
from mesh.product.duck import connect_memory
from mesh.product.plan import Plan, plan_product
from tests.pools import pool_of, pools
from tests.repository import ROOT
from tests.shipped import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("pyspark") is None, reason="pyspark is missing: install the extra `spark`"
    ),
]
PROJECT = load_project(ROOT)
PORTS = [
    port.contract.id
    for product in PROJECT.products.values()
    for port in product.outputs
    if port.contract.kind == "state" and port.contract.masked_from is None
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """One process for all ports: it takes ten seconds to start."""
    with Spark(tmp_path_factory.mktemp("spark")) as found:
        yield found


def played(plan: Plan, batches, folder: Path, port) -> tuple[dict[str, Path], Path]:
    """What a product has taken in of *batches*, and what it has made of it, as files."""
    run = Run(plan=plan, path=folder / "storage.duckdb")
    with run.opened() as (storage, engine):
        for batch in batches:
            run.take_in(engine, batch)
        inputs = write_inputs(plan, storage, folder, {})
        columns = ", ".join(f'"{each.name}"' for each in port.contract.fields)
        rows = storage.connection.sql(f'select {columns} from main."{port.contract.name}"')
        schema = arrow_schema(port.contract)
        write(folder / "rows.parquet", schema, [rows.to_arrow_table().cast(schema)], {})
    return dict(inputs), folder / "rows.parquet"


def counted(spark: Spark, port, inputs, folder: Path) -> Path:
    """The rows that Spark makes of the same inputs."""
    for name in port.query.inputs:
        spark.view(name, inputs[name])
    spark.write(to_spark(port.query.sql), folder / "counted")
    return folder / "counted"


def from_cases(port, plan: Plan, drawn, random: Random):
    """What the cases beside the port's SQL are given, as a batch; what they leave open is drawn."""
    cases = read_yaml(port.query.path.with_suffix(".test.yaml")).document["cases"]
    for number, source in enumerate(plan.inputs):
        given = [row for case in cases for row in case["given"].get(source.name, ())]
        if source.member is None and given:
            with connect_memory() as connection:
                rows = typed(connection, given, source.contract).to_pylist()
            for row in rows:
                told = {name: value for name, value in row.items() if value is not None}
                yield number, row_of(source.contract, drawn, random, 0.0) | told, True


def row_of(contract, drawn, random: Random, share: float):
    """A row from the pools; of what may be null, so great a share is not."""
    return {
        field.name: random.choice(drawn[pool_of(contract, field)])
        for field in contract.fields
        if field.is_required or random.random() < share
    }


def batches_of(plan: Plan, drawn, random: Random):
    """Batches of rows whose values meet; most events are told once, and some are erased."""
    for _ in range(3):
        batch = []
        for number, source in enumerate(plan.inputs):
            for place in range(25):
                row = row_of(source.contract, drawn, random, 0.7)
                if source.contract.kind == "event" and random.random() < 0.8:
                    row |= {
                        each.name: f"{row[each.name]}-{random.random()}"
                        for each in source.contract.key_fields
                        if each.type.kind == "string"
                    }
                batch.append((number, row, place == 0 or random.random() < 0.95))
        yield batch


def drawn_from(strategy):
    """A value of *strategy*, the same each time; the first that comes is the least there is."""
    found = []

    @settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(value=strategy)
    def keep(value):
        found.append(value)

    keep()
    return found[-1]


@pytest.mark.parametrize("id_", PORTS)
def test_spark_makes_the_rows_of_a_state_port_that_ships(spark, tmp_path, id_):
    plan = plan_product(PROJECT, PROJECT.contract(id_).product)
    port = next(each for each in plan.states if each.contract.id == id_)
    some = pools([each.contract for each in plan.inputs])
    drawn = drawn_from(st.lists(some, min_size=5, max_size=5))
    wide = {name: [value for each in drawn for value in each[name]] for name in drawn[0]}
    random = Random(7)  # noqa: S311 - no secret is drawn

    batches = [*batches_of(plan, wide, random), [*from_cases(port, plan, wide, random)]]
    inputs, rows = played(plan, batches, tmp_path, port)
    found = compared(port.contract, rows, counted(spark, port, inputs, tmp_path), tmp_path)

    assert found.is_equal, found
    assert found.rows > 3, "hardly any row was compared"


def test_what_spark_refuses_is_an_error_of_ours(spark, tmp_path):
    with pytest.raises(MeshError, match=r"Spark refuses: .*cannot be found"):
        spark.write("select * from nowhere", tmp_path / "x")
