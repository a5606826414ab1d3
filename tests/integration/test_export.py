"""`mesh export` on a real Kafka: who may, at which offsets, and the same rows as the doors give."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pyarrow.parquet as pq
import pytest

from mesh.batch.inputs import input_files
from mesh.batch.parquet import read
from mesh.product.plan import plan_product
from mesh.testing import open_workbench
from tests.life import ROOT, Mesh, opened, wait_until
from tests.stats import HEAVY, STATS
from tests.stream import PRODUCT as CENTER
from tests.stream import calls, run

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def mesh(backbone, tmp_path_factory):
    """A mesh on the session's Kafka, up, with calls and contracts."""
    folder = tmp_path_factory.mktemp("export")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as found:
            found.run("up")
            found.run("feed", "call-center", "--calls", "300")
            found.run("feed", "contracts", "--records", "1000")
            wait_until(lambda: found.has_calls(300))
            settle(found)
            yield found


def settle(mesh: Mesh) -> None:
    """Wait until nothing waits anywhere."""
    names = ("call-center", "contracts", "audit")
    wait_until(lambda: all(mesh.service(each)["lag"] == 0 for each in names))


def export(mesh: Mesh, path, *arguments):
    """What `mesh export` says, and the rows that it wrote."""
    said = mesh.result("export", *arguments, "--out", str(path), "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout), read(path)[0]


def told(mesh: Mesh, path, port):
    """The rows of a port as its product's door gives them, in some order."""
    mesh.run("read", port, "--all", "--out", str(path))
    return pq.read_table(path)


def in_order(rows):
    return sorted(map(repr, rows.to_pylist()))


@pytest.mark.parametrize("port", ["calls", "calls-masked", "contracts"])
def test_a_file_has_the_rows_that_the_door_gives(mesh, tmp_path, port):
    document, rows = export(mesh, tmp_path / "x.parquet", port)
    told_rows = told(mesh, tmp_path / "told.parquet", port)

    assert document["rows"] == rows.num_rows > 0
    assert document["source"] == "topic"
    assert len(document["schema_ids"]) == 1
    assert rows.schema.equals(told_rows.schema)
    assert in_order(rows) == in_order(told_rows)


def test_a_port_at_earlier_offsets_is_what_it_was(mesh, tmp_path):
    before = {port: export(mesh, tmp_path / f"{port}.parquet", port) for port in PORTS}
    mesh.run("feed", "call-center", "--calls", "350")
    mesh.run("feed", "contracts", "--records", "1400")
    wait_until(lambda: mesh.has_calls(350))
    settle(mesh)

    for port, (document, rows) in before.items():
        at = ",".join(f"{a}:{b}" for a, b in document["offsets"][document["topic"]].items())
        then, rows_then = export(mesh, tmp_path / "then.parquet", port, "--at", at, "--force")
        now, rows_now = export(mesh, tmp_path / "now.parquet", port, "--force")
        assert then["source"] == PORTS[port]
        assert (now["source"], now["rows"]) == ("topic", rows_now.num_rows)
        assert then["offsets"] == document["offsets"] != now["offsets"]
        assert rows_then.equals(rows)
        assert not rows_now.equals(rows)


# Where what was before the end of each is read.
PORTS = {"calls": "topic", "contracts": "change audit log"}


def test_who_was_not_granted_a_port_gets_no_file(mesh, tmp_path):
    said = mesh.run("export", "calls", "--as", "mallory", "--out", str(tmp_path / "x"), code=1)

    assert "Kafka does not let mallory read" in said
    assert "mesh access request" in said
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(mesh, tmp_path):
    path = tmp_path / "x.parquet"
    path.write_text("mine")
    assert "--force" in mesh.run("export", "calls", "--out", str(path), code=2)
    assert path.read_text() == "mine"

    command = "mesh export calls --out calls.parquet".replace("calls.parquet", str(path))
    said = mesh.run(*command.split()[1:], "--force")
    assert f"{path}: " in said
    assert read(path)[0].num_rows > 0


def test_offsets_that_are_none_are_wrong_use(mesh, tmp_path):
    said = mesh.run("export", "calls", "--at", "0:1", "--out", str(tmp_path / "x"), code=2)

    assert "write the next one of each partition (0, 1, 2, 3)" in said


@pytest.mark.skipif(
    find_spec("pyspark") is None, reason="pyspark is missing: install the extra `spark`"
)
# The mesh has to come up first.
@pytest.mark.timeout(900)
def test_spark_makes_equal_rows_at_equal_offsets(mesh, tmp_path):
    settle(mesh)
    # Longer than a command takes, on a machine that does much else.
    command = "mesh spark key-ring.links --out links".replace(" links", f" {tmp_path / 'rows'}")
    started = mesh.start(*command.split()[1:])
    code = started.wait(280)
    count = pq.read_table(tmp_path / "rows").num_rows if code == 0 else 0

    assert code == 0, started.said
    assert count > 0
    assert f"key-ring.links: {count} rows, equal in the product and in Spark" in started.said


def test_inputs_are_read_once_more_as_the_product_had_them_at_its_offsets(bench, tmp_path):
    bench.feed(CENTER, calls(80))
    run(bench, 80)
    for product in (STATS, HEAVY):
        with bench.running(product) as runtime:
            bench.settle(runtime)
    with bench.opened(HEAVY) as storage:
        offsets = storage.offsets
    kept = {name: bench.rows(HEAVY, name, "input") for name in ("calls", "phones")}
    # What comes later is not of these offsets.
    bench.feed(CENTER, calls(60, 80))
    run(bench, 60)
    plan = plan_product(bench.project(), HEAVY)

    who = bench.principal(HEAVY)
    paths = input_files(plan, offsets, tmp_path, endpoint=bench.backbone.endpoint, principal=who)

    assert paths.keys() == kept.keys()
    for name, rows in kept.items():
        found = pq.read_table(paths[name])
        told = [{each: str(row[each]) for each in found.column_names} for row in rows]
        assert found.num_rows > 0
        assert sorted(map(repr, told)) == sorted(
            repr({each: str(value) for each, value in row.items()}) for row in found.to_pylist()
        )
        assert json.loads(found.schema.metadata[b"mesh.offsets"]).keys() == offsets.keys()
