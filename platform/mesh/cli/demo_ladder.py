"""A step of `mesh demo`: where the fed product stands, by what the catalogue saw of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.cli.app import App
from mesh.cli.demo_checks import call_center, check, until
from mesh.contract.catalogue import SERVICE
from mesh.control.registering import ask_catalogue

__all__ = ["look_at_the_ladder"]

PRODUCT = "call-center"
# What a product that was fed a moment ago has proved; its rung asks for more than a moment.
PROVED = (
    "its data is there",
    "its owner accepted the contract",
    "the contract's tests pass on the real data",
    "it is inside its service level now",
)


def look_at_the_ladder(app: App) -> str:
    """Wait until the catalogue has seen that the product keeps its contract; look at the proofs."""
    until(lambda: not missing_in(standing_of(app)))
    document = standing_of(app)
    missing = missing_in(document)
    check(not missing, f"{PRODUCT} has not proved: {missing}")
    tested = document["tests"][0]
    rows = call_center(app)["rows"]
    check(tested["rows"] > 0, "a contract was tested on no row")
    check(isinstance(rows, dict) and tested["rows"] <= rows["calls"], f"{tested} of {rows}")
    return (
        f"{PRODUCT} stands on {document['rung']}: {tested['rows']:,} rows of its door keep the"
        f" contract, and it is inside its service level; next: {document['standing']['next_step']}"
    )


def standing_of(app: App) -> Mapping[str, Any]:
    """The product on the ladder, with its evidence."""
    return ask_catalogue("GET", f"{app.address(SERVICE)}/ladder/{PRODUCT}")


def missing_in(document: Mapping[str, Any]) -> list[str]:
    """What is not proved yet of what a moment can prove."""
    proofs = proofs_in(document)
    return [each for each in PROVED if not proofs.get(each, {}).get("is_met")]


def proofs_in(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The proofs by what they prove; none where nobody has looked yet."""
    rungs = (document["standing"] or {"rungs": []})["rungs"]
    return {each["what"]: each for rung in rungs for each in rung["evidence"]}
