"""How a model is made: which features it takes, and what it learns to foresee.

Two of the three are here to be refused, so that one can see by what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CORRECTED", "RECIPES", "Recipe"]

BEHAVIOUR = (
    "late_bills",
    "open_bills",
    "bills",
    "mean_amount",
    "instalments",
    "unpaid_instalments",
)
CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """*label* is what the model foresees: a column of the examples."""

    version: str
    columns: tuple[str, ...]
    label: str


RECIPES: Mapping[str, Recipe] = {
    # How people paid, and whether they pay. Where they live says how old they are, so it is out.
    CORRECTED: Recipe(version="corrected-1", columns=BEHAVIOUR, label="is_unpaid"),
    # What the old practice decided is not what payers did: it called plans in by district.
    "naive": Recipe(
        version="naive-1", columns=(*BEHAVIOUR, "at_the_university"), label="is_called_in"
    ),
    # Whoever is handed over to an agency has not paid: known a month too late.
    "leaking": Recipe(version="leaking-1", columns=(*BEHAVIOUR, "handed_over"), label="is_unpaid"),
}
