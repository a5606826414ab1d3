"""Queries take turns: whose runs, whose waits, who is stopped, and what that costs the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from mesh.errors import MeshError, WrongUse
from mesh.sql.cache import LARGEST, MOST_BYTES, Cache, is_repeatable
from mesh.sql.limits import Limits, missing
from mesh.sql.nursery import Nursery
from mesh.sql.pool import Pool, Run
from tests.life import wait_until
from tests.sql import PROGRAM, asked, copy_of

needs_limits = pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
LONG = "select sleep_ms(600000)"
BUSY = "select count(*) from range(1000000000000)"


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One zygote for all tests."""
    with Nursery(PROGRAM) as found:
        yield found


@pytest.fixture
def pool(nursery) -> Iterator[Pool]:
    """A pool whose queries may take long."""
    found = Pool(nursery, Limits(cpu_s=600, clock_s=600))
    yield found
    found.close()


class Asking:
    """A query in a thread: its answer, or why there is none."""

    def __init__(self, pool: Pool, copies: list[Any], sql: str, who: str = "ada", id_: str = "1"):
        self.run = Run(id=id_, principal=who)
        self.answer: Any = None
        self.error = ""
        self._pool, self._copies, self._sql = pool, copies, sql
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            with self._pool.turn(self.run):
                pieces = self._pool.ask(self.run, self._copies, asked(self._sql))
                self.answer = json.loads(b"".join(pieces))["rows"]
        except MeshError as error:
            self.error = str(error)

    def end(self) -> Asking:
        """Wait for its end."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self

    def is_running(self) -> bool:
        """Whether a worker computes."""
        return self.run.begun_at > 0 and self._thread.is_alive()


@needs_limits
def test_a_worker_answers_its_principals_next_query_and_nobody_elses(pool, tmp_path):
    copies = [copy_of(tmp_path)]
    first, second = (Asking(pool, copies, "select 1").end() for _ in range(2))
    other = Asking(pool, copies, "select 1", who="grace").end()

    assert first.answer == second.answer == [[1]]
    assert first.run.worker is second.run.worker
    assert other.run.worker is not first.run.worker


@needs_limits
def test_newer_copies_are_asked_by_a_new_worker(pool, tmp_path):
    old = Asking(pool, [copy_of(tmp_path)], "select 1").end()
    (tmp_path / "new").mkdir()
    new = Asking(pool, [copy_of(tmp_path / "new")], "select 1").end()

    assert new.run.worker is not old.run.worker
    assert not psutil.pid_exists(old.run.worker.pid)


@needs_limits
def test_a_worker_that_died_while_nobody_asked_costs_no_query(pool, nursery, tmp_path):
    copies = [copy_of(tmp_path)]
    first = Asking(pool, copies, "select 1").end()
    psutil.Process(first.run.worker.pid).parent().kill()
    wait_until(lambda: not first.run.worker.is_there())

    assert Asking(pool, copies, "select 2").end().answer == [[2]]


@needs_limits
def test_the_second_query_of_a_principal_waits_and_that_of_another_does_not(pool, tmp_path):
    copies = [copy_of(tmp_path)]
    monster = Asking(pool, copies, LONG, id_="monster")
    wait_until(monster.is_running)
    own = Asking(pool, copies, "select 1", id_="own")
    others = Asking(pool, copies, "select 1", who="grace").end()
    wait_until(lambda: pool.waiting == 1)

    assert others.answer == [[1]]
    assert own.answer is None
    assert pool.stop("ada", "monster") == 1
    assert own.end().answer == [[1]]
    assert monster.end().error == "it was cancelled"


@needs_limits
def test_nobody_stops_the_query_of_another(pool, tmp_path):
    monster = Asking(pool, [copy_of(tmp_path)], LONG, id_="monster")
    wait_until(monster.is_running)

    assert pool.stop("grace", "monster") == 0
    assert monster.is_running()
    pool.stop("ada")
    monster.end()


@needs_limits
def test_a_query_that_waits_can_be_stopped_too(pool, tmp_path):
    monster = Asking(pool, [copy_of(tmp_path)], LONG, id_="monster")
    wait_until(monster.is_running)
    waiting = Asking(pool, [], "select 1", id_="waiting")
    wait_until(lambda: pool.waiting == 1)
    pool.stop("ada", "waiting")

    assert waiting.end().error == "it was cancelled"
    pool.stop("ada")
    monster.end()


@needs_limits
def test_all_that_a_principal_has_ends_with_its_rights(pool, tmp_path):
    copies = [copy_of(tmp_path)]
    idle = Asking(pool, copies, "select 1").end()
    pool.stop("ada", reason="the grant was revoked")
    monster = Asking(pool, copies, LONG)
    wait_until(monster.is_running)
    pool.stop("ada", reason="the grant was revoked")

    assert monster.end().error == "the grant was revoked"
    assert not psutil.pid_exists(idle.run.worker.pid)


@needs_limits
def test_what_computes_long_lets_others_go_first(pool, tmp_path):
    monster = Asking(pool, [copy_of(tmp_path)], BUSY)
    wait_until(monster.is_running)

    wait_until(lambda: psutil.Process(monster.run.worker.pid).nice() == 19)
    pool.stop("ada")
    monster.end()


@needs_limits
@pytest.mark.parametrize("sql", [LONG, "from range(100000000)"], ids=["asleep", "not read"])
def test_time_ends_a_query_and_does_not_without_the_clock(nursery, tmp_path, sql):
    copies = [copy_of(tmp_path)]
    pools = [
        Pool(nursery, Limits(clock_s=0.3, without=frozenset(without)))
        for without in ((), ("clock",))
    ]
    runs = [Run(id="1", principal="ada") for _ in pools]
    with pools[0].turn(runs[0]), pools[1].turn(runs[1]):
        # Nobody reads the second of the answers' pieces.
        askings = [
            threading.Thread(target=first_piece, args=(pool, run, copies, sql), daemon=True)
            for pool, run in zip(pools, runs, strict=True)
        ]
        for each in askings:
            each.start()
        held, loose = (wait_until(lambda run=run: run.worker) for run in runs)
        wait_until(lambda: runs[0].reason)

        assert runs[0].reason == "the query took longer than 0 s"
        wait_until(lambda: not psutil.pid_exists(held.pid))
        assert psutil.pid_exists(loose.pid)
        pools[1].stop("ada")
    for each in pools:
        each.close()


def first_piece(pool: Pool, run: Run, copies: list[Any], sql: str) -> None:
    """Ask, and read no more than the beginning."""
    with suppress(WrongUse):
        next(pool.ask(run, copies, asked(sql)))


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [
        ("darwin", "arm64", "exist on Linux alone"),
        ("linux", "riscv64", "no filter of system calls for riscv64"),
    ],
)
def test_without_the_limits_there_is_a_reason(system, machine, said):
    assert said in missing(system, machine)


@pytest.mark.parametrize(
    "sql",
    [
        "select now()",
        "select random() from sales.contracts.contracts",
        "select Current_Date",
        'select "now"()',
        "select * from query('select 1')",
        "select * from duckdb_settings()",
        "select * from information_schema.tables",
        "from sales.contracts.contracts using sample 3",
        "explain analyze select 1",
        "select uuid()",
    ],
)
def test_what_does_not_say_the_same_again_is_not_kept(sql):
    assert not is_repeatable(sql)


def test_a_plain_query_is_kept():
    assert is_repeatable("select day, count(*) from sales.contracts.contracts group by all")


def test_a_cache_is_bounded_and_forgets_whose_rights_have_changed():
    cache = Cache()
    cache.keep(("ada", "large"), bytes(LARGEST + 1))
    for number in range(2 * MOST_BYTES // LARGEST):
        cache.keep(("ada", number), bytes(LARGEST))
    cache.keep(("grace", 1), b"answer")

    assert cache.find(("ada", "large")) is None
    assert cache.find(("ada", 0)) is None
    assert cache.find(("ada", number)) is not None
    cache.forget("ada")
    assert cache.find(("ada", number)) is None
    found = cache.find(("grace", 1))
    assert found is not None
    assert found.body == b"answer"
