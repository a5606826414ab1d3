"""A worker answers nothing that is hostile, survives it, and has nothing of the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

from mesh.errors import WrongUse
from mesh.sql.limits import Limits, missing
from mesh.sql.nursery import Nursery
from mesh.sql.session import Query, results
from tests.sql import PROGRAM, ask, copy_of, refused, worker_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One zygote for all tests."""
    with Nursery(PROGRAM) as found:
        yield found


HOSTILE = [
    "select * from read_csv('/etc/passwd')",
    "select * from read_blob('/proc/self/environ')",
    "select * from read_parquet('/proc/self/maps')",
    "select * from glob('/*')",
    "select * from '/etc/passwd'",
    "select * from sniff_csv('/etc/passwd')",
    "select * from parquet_metadata('/etc/passwd')",
    "from query('select * from read_text(''/etc/passwd'')')",
    "from query_table(['/etc/passwd'])",
    "select * from read_text('../../../etc/passwd')",
    "copy (select 1) to '/tmp/stolen'",
    "export database '/tmp/stolen'",
    "explain analyze copy (select 1) to '/tmp/stolen'",
    "attach '/tmp/other.duckdb'",
    "install httpfs",
    "load httpfs",
    "create persistent secret s (type s3)",
    "set enable_external_access = true",
    "set search_path = 'system'",
    "set variable x = 1",
    "reset lock_configuration",
    "prepare p as select 1",
    "create macro m() as 1",
    "create temp table t as select 1",
    "checkpoint",
    "call enable_logging()",
    "detach _0",
    "begin",
    "use sales",
    "insert into _0.main.rows values (9, 'x')",
    "with x as (insert into _0.main.rows values (9, 'x') returning *) select * from x",
    "with x as (copy (select 1) to '/tmp/stolen') select * from x",
    "select * from copies",
    "select getenv('HOME')",
    "select * from finance.billing.invoices",
    "",
    "-- nothing",
    "select (",
    "\0",
]


def test_what_is_hostile_is_refused_and_the_next_query_is_answered(nursery, tmp_path):
    worker = worker_of(nursery, [copy_of(tmp_path)])

    assert [sql for sql in HOSTILE if not refused(worker, sql)] == []
    assert ask(worker, "select count(*) from sales.contracts.contracts") == [[3]]
    worker.close()


BOMBS = [
    "select list(i) from range(100000000) t(i)",
    "select string_agg(repeat('x', 1000), '') from range(5000000)",
    "select count(*) from (select unnest(range(100000000)))",
    "select levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
    "with recursive r as (select 1 as i union all select i + 1 from r) select max(i) from r",
    "select count(*) from range(100000) a, range(100000) b, range(100000) c",
    "select list_reduce(range(1000000000), lambda a, b: a + b)",
]


@pytest.mark.parametrize("sql", BOMBS)
def test_a_bomb_costs_its_own_query_alone(nursery, tmp_path, sql):
    copies = [copy_of(tmp_path)]
    worker, other = (worker_of(nursery, copies) for _ in range(2))

    assert "CPU time" in (reason := refused(worker, sql)) or "memory" in reason
    assert ask(other, "select count(*) from sales.contracts.contracts") == [[3]]
    worker.close()
    other.close()


def test_a_port_that_is_not_granted_is_as_unknown_as_one_that_is_not_there(nursery, tmp_path):
    copy_of(tmp_path, "sales.contracts.secrets")
    worker = worker_of(nursery, [copy_of(tmp_path)])
    hidden, absent = (
        refused(worker, f"select * from sales.contracts.{name}") for name in ("secrets", "nothing")
    )

    assert "does not exist" in hidden
    assert "mesh access request" in hidden
    assert hidden.replace("secrets", "nothing") == absent
    worker.close()


def test_a_worker_has_nothing_of_the_service(tmp_path, monkeypatch):
    monkeypatch.setenv("MESH_SASL_PASSWORD", "very-secret")
    with (tmp_path / "secret").open("w") as secret, Nursery(PROGRAM) as nursery:
        os.set_inheritable(secret.fileno(), True)
        worker = worker_of(nursery, [copy_of(tmp_path)])
        process = Path(f"/proc/{worker.pid}")
        environment = (process / "environ").read_text()
        files = [str(each.readlink()) for each in (process / "fd").iterdir()]
        worker.close()

    assert "PYTHONPATH" in environment
    assert "very-secret" not in environment
    assert str(tmp_path / "sales.contracts.contracts.duckdb") in files
    assert str(tmp_path / "secret") not in files
    # Its channel alone: the zygote's is closed.
    assert len([each for each in files if each.startswith("socket:")]) == 1


def test_what_a_query_prints_is_not_in_its_answer(nursery, tmp_path):
    worker = worker_of(nursery, [copy_of(tmp_path)], "statements")

    assert refused(worker, "pragma enable_profiling") == ""
    assert ask(worker, "select 1") == [[1]]
    worker.close()


def test_a_worker_ends_with_its_zygote(tmp_path):
    with Nursery(PROGRAM) as nursery:
        worker = worker_of(nursery, [copy_of(tmp_path)])
        process = psutil.Process(worker.pid)

    assert process.wait(10) is None
    worker.close()


def test_an_answer_that_cannot_be_judged_by_what_is_promised_is_none():
    query = Query(sql="select 1 as n", parameters=[1], promise={"columns": []})

    with (
        duckdb.connect() as connection,
        pytest.raises(WrongUse, match="values by their names"),
        results(connection, query, Limits()),
    ):
        pass
