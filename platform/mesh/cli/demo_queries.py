"""The demo's step of a named query whose rows are kept: the mart follows what is fed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mesh.cli.app import App
from mesh.cli.demo_checks import arrived, call_center, calls_of, check, until
from mesh.cli.feed import feed_product
from mesh.cli.query_asked import ask_named, told
from mesh.cli.sql import ask_sql
from mesh.contract.sql import NOWHERE
from mesh.errors import MeshError, WrongUse

__all__ = ["FED", "RUN", "follow_a_mart"]

SEED, FED, READER = 7, 200, "ada"
QUERY, MART = "calls-per-day", "from marts.marketing.calls_per_day"
# A mart whose first refresh was slow rests four times as long before the next.
FOLLOWS_S = 180.0
RUN = f"mesh query run {QUERY} --as {READER}"


def follow_a_mart(app: App) -> str:
    """Feed some calls more; the query and the mart that keeps its rows come to say the same."""
    before = calls_of(call_center(app))
    fed = feed_product(app, "call-center", world=(SEED, before + FED))[0].fed
    there, began = before + fed.count_new, time.monotonic()
    check(arrived(app, there), f"not all calls arrived: {call_center(app)}")
    try:
        if not until(lambda: same_at(app, there), FOLLOWS_S):
            check(False, f"the mart has not {there:,} calls: {told(app, READER, '/marts')}")
    except MeshError as error:
        if NOWHERE not in str(error):
            raise
        return "this machine has no limits for SQL of others, so no query is asked"
    took = time.monotonic() - began
    return (
        f"the mart has all {there:,} calls {took:.1f} s after they were fed, and at the same"
        f" offsets the rows that the query gives"
    )


def same_at(app: App, calls: int) -> bool:
    """Whether query and mart count so many calls; fails where they differ at the same offsets."""
    asked = ask_named(app, QUERY, {}, READER)
    try:
        kept = ask_sql(app, MART, READER)
    except WrongUse:
        # Not made yet for the first time.
        return False
    if dict(kept["offsets"][f"marts.{QUERY}"]) != offsets_of(app, asked):
        return False
    check(sorted(kept["rows"]) == sorted(asked["rows"]), "query and mart differ")
    place = asked["columns"].index("calls")
    return bool(sum(row[place] for row in kept["rows"]) == calls)


def offsets_of(app: App, asked: Mapping[str, Any]) -> dict[str, int]:
    """Up to where an answer has what the mart reads, as marts say it."""
    topic = app.project.contract("call-center.calls").topic
    return {f"{topic}[{each}]": next_ for each, next_ in asked["offsets"][topic].items()}
