"""Two major versions of a port on a real backbone: a reader moves, and the first one goes."""

from __future__ import annotations

import pytest

from mesh.backbone.admin import Admin
from mesh.control.principals import REGISTRAR
from mesh.control.retirement import retire_topic
from mesh.errors import Refused, StorageError
from tests.majors import CALLS, CALLS_V2, add_v2, edit, retire_v1
from tests.stats import (
    CALLERS,
    CALLERS_SQL,
    CENTER,
    HEAVY,
    NUMBERS,
    PHONES,
    STATS,
    assert_true,
    counts,
    expected,
    feed,
    few,
    history,
    run,
)

pytestmark = pytest.mark.broker

MOVED_SQL = CALLERS_SQL.replace("calls k", "calls_v2 k")


def move_heavy(bench) -> None:
    """`call-heavy` reads the second major version instead of the first."""
    folder = bench.root / "products" / "call_heavy"
    edit(
        folder / "product.yaml",
        (f"name: calls, version: 1.0.0, contractId: {CALLS}}}",
         f"name: calls-v2, version: 2.0.0, contractId: {CALLS_V2}}}"),
    )  # fmt: skip
    (folder / "callers.sql").write_text(MOVED_SQL)
    edit(folder / "callers.keys.sql", ("changed_calls", "changed_calls_v2"))


@pytest.mark.slow
def test_two_majors_stand_side_by_side_until_the_last_reader_has_moved(bench):
    add_v2(bench.root)
    bench.provision()
    feed(bench, 2 * NUMBERS)
    run(bench, STATS)
    run(bench, HEAVY)
    first, second = (
        {row["call_id"]: row for row in bench.decoded(bench.messages(bench.contract(each).topic))}
        for each in (CALLS, CALLS_V2)
    )
    assert first.keys() == second.keys()
    assert all(row["length_ms"] // 1000 == first[id_]["duration_s"] for id_, row in second.items())
    assert len(bench.rows(CENTER, "calls")) == len(bench.rows(CENTER, "calls_v2")) == 2 * NUMBERS

    # One reader moves: it goes on from what it has said, and says nothing that was true before.
    before = history(bench, CALLERS)
    move_heavy(bench)
    bench.provision()
    run(bench, HEAVY)
    assert history(bench, CALLERS) == before
    feed(bench, NUMBERS, 2 * NUMBERS)
    run(bench, STATS)
    run(bench, HEAVY)
    assert_true(bench, PHONES, CALLERS)
    assert counts(bench, CALLERS) == expected(few(3 * NUMBERS))

    # The first version has a reader still, so it stays.
    registrar = Admin(bench.backbone.endpoint, bench.principal(REGISTRAR))
    old = bench.contract(CALLS).topic
    with pytest.raises(Refused, match="may read: remove the port"):
        retire_topic(bench.project(), registrar, old)


def test_the_topic_of_a_retired_major_stays_until_nobody_may_read_it(workbench):
    bench = workbench
    add_v2(bench.root)
    bench.provision()
    feed(bench, NUMBERS)
    old, rejected = bench.contract(CALLS).topic, bench.contract(CALLS).rejected_topic
    masked = bench.contract(f"{CALLS}-masked").topic
    people = bench.root / "company" / "people.yaml"
    people.write_text(people.read_text().replace(f"contract: {CALLS}\n", f"contract: {CALLS_V2}\n"))
    retire_v1(bench.root)

    made = bench.provision()
    feed(bench, NUMBERS, NUMBERS)

    assert made.left == {old: [], masked: []}
    assert f"{old} is promised no more: `mesh retire {old}` removes it" in made.warnings
    assert len(bench.messages(old)) == NUMBERS
    assert len(bench.messages(bench.contract(CALLS_V2).topic)) == 2 * NUMBERS
    registrar = Admin(bench.backbone.endpoint, bench.principal(REGISTRAR))
    with pytest.raises(Refused, match="is promised by"):
        retire_topic(bench.project(), registrar, bench.contract(CALLS_V2).topic)
    assert retire_topic(bench.project(), registrar, old) == [old, rejected]
    with pytest.raises(Refused, match="lets nobody delete"):
        retire_topic(bench.project(), registrar, old)
    assert bench.provision().left == {masked: []}


def test_the_broker_lets_the_registrar_delete_no_other_topic(workbench):
    registrar = Admin(workbench.backbone.endpoint, workbench.principal(REGISTRAR))

    with pytest.raises(Refused):
        registrar.remove_topic(workbench.contract(CALLS).topic)


def test_a_reader_that_would_mix_two_majors_in_one_table_stops(bench):
    add_v2(bench.root)
    bench.provision()
    feed(bench, NUMBERS)
    run(bench, HEAVY)
    folder = bench.root / "products" / "call_heavy"
    edit(
        folder / "product.yaml",
        (f"version: 1.0.0, contractId: {CALLS}}}", f"version: 2.0.0, contractId: {CALLS_V2}}}"),
    )
    bench.provision()

    with pytest.raises(StorageError, match="give the port another name"):
        run(bench, HEAVY)
