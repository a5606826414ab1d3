"""How a model treats groups: measured on payers it did not learn from, by what they really did.

The protected attribute is seen here and nowhere else, and what is told is of groups of people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from products.payment_risk.training import Bools, Floats

__all__ = ["MEASURES", "differences", "figures"]

MEASURES: Mapping[str, Callable[..., float]] = {
    "equalizedOddsDifference": equalized_odds_difference,
    "equalOpportunityDifference": equal_opportunity_difference,
    "demographicParityDifference": demographic_parity_difference,
}
_POINTS, _BINS = 21, 5


def differences(truth: Bools, decided: Bools, groups: NDArray[np.str_]) -> dict[str, float]:
    """By measure, how far the groups are apart; 0 is fair, 1 is as unfair as can be."""
    return {
        name: round(float(measure(truth, decided, sensitive_features=groups)), 6)
        for name, measure in MEASURES.items()
    }


def figures(
    truth: Bools, scores: Floats, decided: Bools, groups: NDArray[np.str_]
) -> dict[str, Any]:
    """What a model card shows: of everybody, and of each group."""
    rows = {"everybody": np.ones(len(truth), dtype=np.bool_)}
    rows |= {str(each): groups == each for each in sorted(set(groups.tolist()))}
    return {name: _card(truth[at], scores[at], decided[at]) for name, at in rows.items()}


def _card(truth: Bools, scores: Floats, decided: Bools) -> dict[str, Any]:
    false, true, _ = roc_curve(truth, scores)
    at = np.linspace(0, 1, _POINTS)
    happened, foreseen = calibration_curve(truth, scores, n_bins=_BINS, strategy="quantile")
    return {
        "count": len(truth),
        "unpaid": _round(truth.mean()),
        "reviewed": _round(decided.mean()),
        "true_positive_rate": _round(decided[truth].mean()),
        "false_positive_rate": _round(decided[~truth].mean()),
        "auc": _round(roc_auc_score(truth, scores)),
        "brier": _round(brier_score_loss(truth, scores)),
        "roc": [
            [_round(x), _round(y)] for x, y in zip(at, np.interp(at, false, true), strict=True)
        ],
        "calibration": [[_round(x), _round(y)] for x, y in zip(foreseen, happened, strict=True)],
    }


def _round(value: Any) -> float:
    return round(float(value), 4)
