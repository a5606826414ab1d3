"""The algorithm behind payment risk: what it is stopped by, and what it never sees or says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mesh.contract.odps import load_product
from mesh.errors import WrongUse
from tests.repository import ROOT
from tests.risk import AS_OF, LATER, inputs

pytest.importorskip("fairlearn", reason="needs the extra: pip install -e '.[risk]'")

from products.payment_risk import features
from products.payment_risk.recipes import RECIPES
from products.payment_risk.run import Done, Promise, run
from products.payment_risk.training import too_good

BOUND = 0.1


def done(recipe: str = "corrected", rows=None, bound: float = BOUND) -> Done:
    return run(rows or inputs(AS_OF), AS_OF, Promise(bound=bound), recipe)


def unnamed(found: Done) -> pa.Table:
    """The scores without the run's name, which is made of the groups too."""
    return found.scores.drop_columns(["run_id"])


@pytest.fixture(scope="module")
def corrected() -> Done:
    return done()


def test_a_model_of_what_payers_did_is_fair_enough_and_foresees_something(corrected):
    assert corrected.record["outcome"] == "published"
    assert corrected.record["equalized_odds_difference"] < BOUND
    assert corrected.record["auc"] > 0.6
    assert corrected.scores.num_rows == corrected.record["count_scores"] > 3_000
    assert pc.sum(corrected.scores["review"]).as_py() > 100


def test_a_model_of_what_the_old_practice_did_is_stopped_and_has_no_scores():
    naive = done("naive")

    assert naive.record["outcome"] == "stopped"
    assert "equalizedOddsDifference is 0.8" in naive.record["reason"]
    assert "the contract allows 0.1" in naive.record["reason"]
    assert naive.scores.num_rows == naive.record["count_scores"] == 0


def test_with_a_bound_that_nothing_breaks_the_naive_model_would_be_published():
    assert done("naive", bound=1.0).scores.num_rows > 3_000


def test_a_feature_that_uses_what_came_later_is_named():
    leaking = done("leaking")

    assert leaking.record["outcome"] == "stopped"
    assert "handed_over uses what came after its moment, in 312 of" in leaking.record["reason"]
    assert leaking.scores.num_rows == 0


def test_a_leak_that_is_not_cut_off_is_too_good_to_be_true(monkeypatch):
    monkeypatch.setattr(features.Known, "_cut", lambda known, at: whole(known))

    leaking = done("leaking")

    assert "handed_over alone foresees it too well" in leaking.record["reason"]


def whole(known: features.Known) -> None:
    """Let the query see everything, whenever it came."""
    for name in features.KNOWN_BY:
        known._connection.execute(f"create or replace view {name} as from all_{name}")


def test_no_honest_feature_is_too_good_to_be_true():
    known = features.Known(inputs(AS_OF), datetime(2026, 5, 1, tzinfo=UTC))
    examples = known.examples()
    columns = RECIPES["naive"].columns

    assert too_good(known.features(examples), columns, examples["is_unpaid"].to_numpy()) == {}
    assert known.leaks(examples, columns) == {}


def test_what_came_after_the_day_changes_nothing(corrected):
    later = done(rows=inputs(LATER))

    assert later.record == corrected.record
    assert later.scores.equals(corrected.scores)


def test_the_order_of_rows_is_no_matter(corrected):
    turned = {name: rows.take(pa.array(range(rows.num_rows)[::-1])) for name, rows in
              inputs(AS_OF).items()}  # fmt: skip

    assert done(rows=turned).record == corrected.record


def test_the_protected_attribute_decides_nothing(corrected):
    bands = inputs(AS_OF)["payer_age_bands"]
    turned = bands.set_column(1, "age_band", pa.array(bands["age_band"].to_pylist()[::-1]))

    other = done(rows={**inputs(AS_OF), "payer_age_bands": turned}, bound=1.0)

    assert unnamed(other).equals(unnamed(corrected))
    assert other.record["figures"] != corrected.record["figures"]


def test_neither_model_nor_feature_nor_group_of_a_payer_is_told(corrected):
    record = json.dumps({**corrected.record, "as_of": None})

    assert set(corrected.scores.column_names) == {
        "run_id", "contract_number", "role", "payer_id", "as_of", "score", "review"
    }  # fmt: skip
    assert "P-0" not in record
    assert "C-0" not in record
    assert set(json.loads(corrected.record["figures"])) == {"everybody", "under-30", "30-and-over"}


def test_another_seed_of_inputs_is_another_run(corrected):
    rows = inputs(AS_OF)
    fewer = done(rows={**rows, "payments": rows["payments"].slice(1_000)})

    assert fewer.record["run_id"] != corrected.record["run_id"]


def test_too_little_to_learn_from_is_said():
    with pytest.raises(WrongUse, match="0 instalments had ended by 2026-02-01, and 500 are needed"):
        run(inputs(AS_OF), date(2026, 2, 1), Promise(bound=BOUND))


def test_an_unknown_recipe_is_said():
    with pytest.raises(WrongUse, match="there are corrected, naive, leaking"):
        done("secret")


def test_all_places_that_name_the_bound_name_the_same():
    product = load_product(ROOT / "products/payment_risk")
    promised = [
        one["value"]
        for port in product.outputs
        for one in port.contract.document["customProperties"]
        if one["property"] == "fairness"
    ]
    (rule,) = [each for each in product.outputs[1].contract.rules if each.name == "fair"]

    assert len(promised) == 2
    assert promised[0] == promised[1]
    assert f"equalized_odds_difference <= {promised[0]['bound']}" in rule.expression
