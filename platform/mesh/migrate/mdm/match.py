"""How likely two cards are of one person: Splink's model, learnt from the cards alone.

It compares names, day of birth, address and telephone number. Not here: from which weight on two
cards are taken for one person (`merge`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mesh.errors import SettingsError

__all__ = ["TEXT", "Pairs", "libraries", "scored"]

TEXT = ("given_name", "family_name", "birth_date", "street", "city", "phone_number")
# What every such system does before it compares: one spelling of what is abbreviated.
STANDARD = """
select
    "position" as unique_id,
    lower(given_name) as given_name,
    lower(family_name) as family_name,
    birth_date,
    lower(regexp_replace(regexp_replace(regexp_replace(
        street, ' St ', ' Street '), ' Rd ', ' Road '), ' Ln ', ' Lane ')) as street,
    lower(city) as city,
    phone_number
from _cards
order by "position"
"""
# Pairs with less are of two persons a thousand times more likely than of one.
LEAST_WEIGHT = -10
# What is compared at all: pairs that share one of these.
BLOCKS = (
    ("given_name", "family_name"),
    ("family_name", "substr(given_name, 1, 1)"),
    ("birth_date",),
    ("street", "city"),
    ("phone_number",),
)
SURELY_ONE = ("given_name", "family_name", "birth_date")
# Of the pairs of one person, how many agree in these three: a guess that Splink asks for.
RECALL = 0.7
SAMPLED_PAIRS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of cards by their positions, and how much speaks for one person (log 2 of odds)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weight: NDArray[np.float64]

    def above(self, threshold: float) -> Pairs:
        """Those that have at least so much."""
        kept = self.weight >= threshold
        return Pairs(first=self.first[kept], second=self.second[kept], weight=self.weight[kept])


def scored(cards: pa.Table) -> Pairs:
    """Every pair of *cards* (the columns `TEXT`) that may be one person's.

    Raises `SettingsError` without the extra `mdm`.
    """
    splink = libraries()
    numbered = cards.append_column("position", pa.array(range(cards.num_rows), pa.int64()))
    with duckdb.connect() as connection:
        # One thread: the order in which floats are added up decides their last digits.
        connection.execute("set threads = 1")
        connection.register("_cards", numbered)
        standard = connection.sql(STANDARD).to_arrow_table()
        api = splink.api(connection)
        linker = splink.linker(api.register(standard), settings(splink), log_level=logging.ERROR)
        learn(linker, splink.block_on)
        found = linker.inference.predict(threshold_match_weight=LEAST_WEIGHT)
        pairs = found.as_pyarrow_table().sort_by(
            [("unique_id_l", "ascending"), ("unique_id_r", "ascending")]
        )
    return Pairs(
        first=pairs["unique_id_l"].to_numpy(),
        second=pairs["unique_id_r"].to_numpy(),
        weight=pairs["match_weight"].to_numpy(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Splink:
    """What is used of the library, which is there with the extra alone."""

    api: Any
    linker: Any
    block_on: Any
    creator: Any
    comparisons: Any
    levels: Any


def libraries() -> Splink:
    """The library. Raises `SettingsError` where it is not installed."""
    try:
        import splink
        import splink.comparison_level_library as levels
        import splink.comparison_library as comparisons
        from splink.backends.duckdb import DuckDBAPI
    except ImportError as error:
        raise SettingsError(
            f"the twin cannot match without its library ({error}): pip install -e '.[mdm]'"
        ) from error
    logging.getLogger("splink").setLevel(logging.ERROR)
    return Splink(
        api=DuckDBAPI,
        linker=splink.Linker,
        block_on=splink.block_on,
        creator=splink.SettingsCreator,
        comparisons=comparisons,
        levels=levels,
    )


def settings(splink: Splink) -> Any:
    """What is compared, and how near is near. Rare names say more than frequent ones."""
    by, level = splink.comparisons, splink.levels
    address = by.CustomComparison(
        output_column_name="address",
        comparison_levels=[
            level.NullLevel("street"),
            level.And(level.ExactMatchLevel("street"), level.ExactMatchLevel("city")),
            level.And(level.JaroWinklerLevel("street", 0.92), level.JaroWinklerLevel("city", 0.9)),
            level.ExactMatchLevel("city"),
            level.ElseLevel(),
        ],
    )
    return splink.creator(
        link_type="dedupe_only",
        comparisons=[
            by.NameComparison("given_name").configure(term_frequency_adjustments=True),
            by.NameComparison("family_name").configure(term_frequency_adjustments=True),
            by.DateOfBirthComparison("birth_date", input_is_string=True),
            address,
            by.ExactMatch("phone_number"),
        ],
        blocking_rules_to_generate_predictions=[splink.block_on(*each) for each in BLOCKS],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def learn(linker: Any, block_on: Any) -> None:
    """Have the model learn from the cards themselves; no truth is shown to it."""
    training = linker.training
    training.estimate_probability_two_random_records_match([block_on(*SURELY_ONE)], recall=RECALL)
    training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=1)
    for block in (("birth_date",), ("given_name", "family_name")):
        training.estimate_parameters_using_expectation_maximisation(block_on(*block))
