"""A mart over many calls, refreshed by some new ones, against its whole query in a worker.

    python -m bench.marts [--calls N] [--new N] [--rounds N]

Both sides are what the service does: worker, comparison, offsets, and a copy of the mart. Not
here: the copies of ports, which are made anew for each refresh and for whoever asks (`sql`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb

from bench.measure import alternate, median, report
from bench.sql import FILL, PHONES, ROOT
from mesh.contract.project import load_project
from mesh.query.files import QUERIES, load_queries
from mesh.sql.limits import Limits
from mesh.sql.mart import Mart, MartFile
from mesh.sql.marts import Marts
from mesh.sql.nursery import Nursery
from mesh.sql.pool import Pool
from mesh.sql.session import ROWS
from mesh.sql.shelf import Shown, copy_of
from mesh.sql.standing import Standing
from mesh.wiring.sql_marts import marts_of

__all__ = ["main"]

PORT = "call-center.calls"


class Still:
    """The shelf of one table, whose copies are made by hand."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown

    def current(self, granted: object) -> list[Shown]:
        """The copy."""
        return [self.shown]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--new", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    project = load_project(ROOT)
    contract = project.contract(PORT)
    queries = [each for each in load_queries(ROOT / QUERIES, project.people) if each.mart]
    (mart,) = marts_of(queries, project.people, [contract], print)
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name) / "calls.duckdb", Path(name)
        with duckdb.connect(str(path)) as connection:
            fill = FILL[PORT].format(calls=options.calls, phones=PHONES)
            connection.execute(f"create table {ROWS} as {fill}")
        era = object()
        shown = Shown(
            contract=contract, copy=copy_of(contract, 1, path), offsets={"0": options.calls},
            changes=1, at=0.0, era=era,
        )  # fmt: skip
        found = measured(mart, shown, folder, options)
    seconds = {name: round(median(each), 3) for name, each in found.items()}
    ratio = [a / b for a, b in zip(found["by keys"], found["whole"], strict=True)]
    report("marts", {**vars(options), "seconds": seconds, "ratio": round(median(ratio), 3)})


def measured(
    mart: Mart, shown: Shown, folder: Path, options: argparse.Namespace
) -> dict[str, list[float]]:
    """The seconds of refreshes by keys and as a whole."""
    still = Still(shown)
    with Nursery("mesh.wiring.sql_zygote") as nursery:
        pool = Pool(nursery, Limits())
        given = {"shelf": still, "pool": pool, "granted": lambda _: mart.reads}
        marts = Marts(folder, [], **given)  # type: ignore[arg-type] # it needs no more of a shelf
        sides = {}
        for name, each in (("by keys", mart), ("whole", replace(mart, keys_sql=""))):
            copies = folder / name
            copies.mkdir()
            file = MartFile(mart=each, path=folder / f"{name}.duckdb")
            standing = Standing(file=file, copies=copies)
            marts._refresh(standing)
            sides[name] = refresher(marts, standing, shown, options)
        found = alternate(sides, options.rounds)
        pool.close()
    return found


def refresher(
    marts: Marts, one: Standing, shown: Shown, options: argparse.Namespace
) -> Callable[[], float]:
    """Refreshes a mart as if the last of the calls were new; says how long it took."""

    def refresh() -> float:
        topic = shown.contract.topic
        one.file.offsets = {topic: {"0": options.calls - options.new}}
        one.made_from = {shown.contract.id: (shown.era, 0)}
        begun = time.perf_counter()
        marts._refresh(one)
        return time.perf_counter() - begun

    return refresh


if __name__ == "__main__":
    main()
