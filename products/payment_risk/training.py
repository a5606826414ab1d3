"""Trains a small model and asks it for scores. It sees features and labels, and no group.

A logistic regression, since its weights can be read out to whoever is judged by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["LIBRARIES", "SEED", "Bools", "Floats", "foreseen", "matrix", "scores", "too_good"]

SEED = 7
LIBRARIES = {name: version(name) for name in ("fairlearn", "numpy", "scikit-learn", "scipy")}
_FOLDS = 5
# No single feature of behaviour foresees so well; one that does knows the answer.
_TOO_GOOD = 0.95

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def foreseen(features: Floats, labels: Bools, payers: Sequence[str]) -> Floats:
    """The score of each row by a model that has learnt from no row of its payer."""
    folds = GroupKFold(n_splits=_FOLDS)
    found: Floats = cross_val_predict(
        _untrained(), features, labels, groups=payers, cv=folds, method="predict_proba"
    )
    return found[:, 1].round(6)


def scores(features: Floats, labels: Bools, asked: Floats) -> Floats:
    """The score of each row of *asked*, to six digits: more would be noise."""
    found: Floats = _untrained().fit(features, labels).predict_proba(asked)
    return found[:, 1].round(6)


def matrix(features: pa.Table, columns: Sequence[str]) -> Floats:
    """The *columns* side by side."""
    return np.column_stack([features[name].to_numpy() for name in columns])


def too_good(features: pa.Table, columns: Sequence[str], labels: Bools) -> dict[str, float]:
    """The columns that foresee the labels by themselves, with the area under the ROC curve."""
    areas = {name: float(roc_auc_score(labels, features[name].to_numpy())) for name in columns}
    return {name: area for name, area in areas.items() if max(area, 1 - area) > _TOO_GOOD}


def _untrained() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED, max_iter=1000))
