"""One run: from the inputs as they were known on a day to scores, or to the reason for none.

    done = run(inputs, date(2026, 5, 31), promise)
    done.record["outcome"], done.scores

A function of its arguments and nothing else, so it gives the same whenever it is asked again.
Not here: where inputs come from and where results go (`batch`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mesh.errors import WrongUse
from products.payment_risk.fairness import differences, figures
from products.payment_risk.features import Known
from products.payment_risk.recipes import CORRECTED, RECIPES, Recipe
from products.payment_risk.training import LIBRARIES, SEED, foreseen, matrix, scores, too_good

__all__ = ["Done", "Promise", "run"]

# From this score on a person looks at the contract: one in some ten.
REVIEW = 0.2
# Fewer say nothing, neither about a payer nor about a group.
LEAST_EXAMPLES = 500
BANDS = "payer_age_bands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the contract promises: by no *measure* are groups further apart than *bound*."""

    bound: float
    measure: str = "equalizedOddsDifference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run that ended: *record* says how, *scores* has no row where it was stopped."""

    record: Mapping[str, Any]
    scores: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a run looks at: instalments that ended, plans that run, what was known of them then.

    *groups* has who belongs to which, for the check; whoever declared no age is in none.
    """

    examples: pa.Table
    running: pa.Table
    learnt: pa.Table
    asked: pa.Table
    groups: NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A trained model's scores, and what was found out about it on payers it never saw."""

    scores: NDArray[np.float64]
    differences: Mapping[str, float]
    figures: Mapping[str, Any]


def run(
    inputs: Mapping[str, pa.Table],
    as_of: date,
    promise: Promise,
    recipe: str = CORRECTED,
    places: str = "",
) -> Done:
    """Train on what was known at the end of *as_of*, judge the model, and score by it.

    *places* says up to where the inputs were read, and is noted alone: what comes there and was
    not known on the day makes no other run. Raises `WrongUse` where there is too little to learn
    from, or no such recipe.
    """
    if recipe not in RECIPES:
        raise WrongUse(f"there is no recipe {recipe!r}: there are {', '.join(RECIPES)}")
    chosen = RECIPES[recipe]
    known = Known(inputs, datetime.combine(as_of, time.max, UTC))
    try:
        seen = _seen(known, inputs[BANDS])
        reasons = _leaks(known, seen, chosen)
    finally:
        known.close()
    judged = _judge(seen, chosen)
    reasons += _unfair(judged, promise)
    code = _code_hash()
    run_id = _name([code, str(promise), json.dumps(LIBRARIES)], seen, chosen, as_of)
    rows = _scores(run_id, as_of, seen.running, judged.scores)
    published = rows.slice(0, 0) if reasons else rows
    record = {
        "run_id": run_id,
        "as_of": as_of,
        "outcome": "stopped" if reasons else "published",
        "reason": "; ".join(reasons) or None,
        "model_version": chosen.version,
        "code_hash": code,
        "inputs": places,
        "count_examples": seen.examples.num_rows,
        "count_scores": published.num_rows,
    }
    return Done(record={**record, **_measured(judged)}, scores=published)


def _seen(known: Known, bands: pa.Table) -> Seen:
    """Look at what was known. Raises `WrongUse` where that is too little."""
    examples, running = known.examples(), known.running()
    if examples.num_rows < LEAST_EXAMPLES:
        raise WrongUse(
            f"{examples.num_rows} instalments had ended by {known.as_of.date()}, and"
            f" {LEAST_EXAMPLES} are needed to learn from: feed more, or take a later day"
        )
    band_of = dict(zip(bands["person_id"].to_pylist(), bands["age_band"].to_pylist(), strict=True))
    return Seen(
        examples=examples,
        running=running,
        learnt=known.features(examples),
        asked=known.features(running),
        groups=np.array([band_of.get(each, "") for each in examples["payer_id"].to_pylist()]),
    )


def _leaks(known: Known, seen: Seen, recipe: Recipe) -> list[str]:
    """What a feature knew that nobody knew then, or knows too well to be true."""
    leaks = known.leaks(seen.examples, recipe.columns)
    found = [
        f"{name} uses what came after its moment, in {count} of {seen.examples.num_rows} examples"
        for name, count in leaks.items()
    ]
    good = too_good(seen.learnt, recipe.columns, seen.examples[recipe.label].to_numpy())
    return found + [f"{name} alone foresees it too well (area {area:.3f})"
                    for name, area in good.items()]  # fmt: skip


def _judge(seen: Seen, recipe: Recipe) -> Judged:
    """Measure on payers that were not learnt from; then learn from all, and score what runs."""
    features, labels = matrix(seen.learnt, recipe.columns), seen.examples[recipe.label].to_numpy()
    known = seen.groups != ""
    told = foreseen(features, labels, seen.examples["payer_id"].to_pylist())[known]
    truth, groups = seen.examples["is_unpaid"].to_numpy()[known], seen.groups[known]
    decided = told >= REVIEW
    return Judged(
        scores=scores(features, labels, matrix(seen.asked, recipe.columns)),
        differences=differences(truth, decided, groups),
        figures=figures(truth, told, decided, groups),
    )


def _unfair(judged: Judged, promise: Promise) -> list[str]:
    """Why the contract does not allow the model, if it does not."""
    apart = judged.differences[promise.measure]
    words = f"{promise.measure} is {apart:.3f}, and the contract allows {promise.bound} at most"
    return [words] if apart > promise.bound else []


def _measured(judged: Judged) -> Mapping[str, Any]:
    """What a record says of the model, and of what it was made with."""
    return {
        "seed": SEED,
        "libraries": json.dumps(LIBRARIES),
        **{_snake(name): value for name, value in judged.differences.items()},
        "auc": judged.figures["everybody"]["auc"],
        "brier": judged.figures["everybody"]["brier"],
        "figures": json.dumps(judged.figures),
    }


def _scores(run_id: str, as_of: date, running: pa.Table, scores: NDArray[np.float64]) -> pa.Table:
    """The rows that are published: no feature, no group, no model."""
    count = running.num_rows
    return pa.table(
        {
            "run_id": [run_id] * count,
            "contract_number": running["contract_number"],
            "role": ["payer"] * count,
            "payer_id": running["payer_id"],
            "as_of": pa.array([as_of] * count, pa.date32()),
            "score": pa.array([f"{each:.6f}" for each in scores]).cast(pa.decimal128(7, 6)),
            "review": pa.array(scores >= REVIEW),
        }
    )


def _code_hash() -> str:
    """The digest of all code of this product."""
    folder = Path(__file__).parent
    files = sorted([*folder.glob("*.py"), *folder.glob("*.sql")])
    return sha256(b"\0".join(each.name.encode() + each.read_bytes() for each in files)).hexdigest()


def _name(words: list[str], seen: Seen, recipe: Recipe, as_of: date) -> str:
    """A run's name: its day, and the digest of all that it is made of.

    Rows that no feature takes count for nothing.
    """
    found = sha256("\0".join([recipe.version, *words]).encode())
    features = [each.select(recipe.columns) for each in (seen.learnt, seen.asked)]
    for table in (seen.examples, seen.running, *features):
        for column in table.columns:
            found.update(repr(column.to_pylist()).encode())
    found.update(repr(seen.groups.tolist()).encode())
    return f"R-{as_of}-{found.hexdigest()[:12]}"


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)
