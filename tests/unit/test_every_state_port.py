"""Every state port that ships says what its whole query says, whatever comes and however it is cut.

The ports are found in the products' folders, and their inputs are made of the contracts alone:
who adds a state port, or a path to a query that its keys file leaves out, is caught here.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from mesh.contract.project import load_project
from mesh.product.plan import Plan, plan_product
from tests.masked import mask_port
from tests.repository import ROOT
from tests.shipped import histories, play
from tests.stats import CALLERS, CALLERS_KEYS, HEAVY, PHONES, STATS, write_project

SHIPPED = [
    product.id
    for product in load_project(ROOT).products.values()
    if any(port.contract.kind == "state" for port in product.outputs)
]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.fixture
def memory():
    """A folder that no disk has to keep, where there is one: each batch is a commit."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder) / "state"


def hold(plan: Plan, folder, many: int, *, phases=tuple(Phase)) -> Counter[str]:
    """Try *many* histories of a product; how many rows its inputs have taken in."""
    accepted: Counter[str] = Counter()

    @settings(
        max_examples=many,
        deadline=None,
        database=None,
        suppress_health_check=SLOW,
        report_multiple_bugs=False,
        phases=phases,
    )
    @given(history=histories(plan))
    def holds(history) -> None:
        accepted.update(play(plan, history, folder))

    holds()
    return accepted


def assert_each_input_met(plan: Plan, accepted: Counter[str]) -> None:
    """No input was rejected as a whole: then nothing would have been tried."""
    assert {each.contract.id for each in plan.inputs if not accepted[each.contract.id]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("product", SHIPPED)
def test_a_state_port_that_ships_says_what_its_whole_query_says(product, memory):
    plan = plan_product(load_project(ROOT), product)

    # A product of many inputs may not meet each in so few tries.
    assert sum(hold(plan, memory, 20).values()) > 0


@pytest.mark.long
# A thousand histories take a quarter of an hour, and a fault in them as long to be made small.
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("product", SHIPPED)
def test_a_state_port_that_ships_holds_over_many_histories(product, memory):
    plan = plan_product(load_project(ROOT), product)

    assert_each_input_met(plan, hold(plan, memory, 1000))


@pytest.mark.parametrize("product", [STATS, HEAVY])
def test_the_state_ports_of_the_tests_hold_too(product, memory, tmp_path):
    plan = plan_product(load_project(write_project(tmp_path / "project")), product)

    assert_each_input_met(plan, hold(plan, memory, 15))


@pytest.mark.parametrize(
    ("port", "how"), [(PHONES, ""), (CALLERS, ""), (PHONES, "omit"), (CALLERS, "hash")]
)
def test_a_masked_state_port_says_what_its_whole_query_says(port, how, memory, tmp_path):
    mask_port(root := write_project(tmp_path / "project"), port, how)
    plan = plan_product(load_project(root), port.partition(".")[0], lambda _: b"key")

    assert len(plan.states) == 2
    assert_each_input_met(plan, hold(plan, memory, 10))


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [
        # A call that comes touches its number too.
        CALLERS_KEYS.replace("union all select phone_number from changed_calls", ""),
        # So does a number whose row changes.
        "select phone_number from changed_calls",
    ],
)
def test_a_keys_file_that_leaves_out_a_path_is_caught(keys, memory, tmp_path):
    root = write_project(tmp_path / "project")
    (root / "products" / "call_heavy" / "callers.keys.sql").write_text(keys)
    plan = plan_product(load_project(root), HEAVY)

    with pytest.raises(AssertionError, match="is not what the query says"):
        hold(plan, memory, 300, phases=(Phase.generate,))
