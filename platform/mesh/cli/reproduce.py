"""`mesh reproduce`: the scores of a run, made again from the change audit log.

Not here: what the log had at the run's offsets (`logged`), and what a run does (`batch.py` of the
product).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, steps
from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.errors import WrongUse

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh.cli.logged import Logged

__all__ = ["Compared", "compared", "reproduce"]

RECORDS, SCORES = "run-records", "run-scores"
# What may differ where somebody was erased since: the model has learnt from less.
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Scores that were, and that are made again: of how many keys, and how far apart."""

    equal: int
    differing: int
    largest: float
    gone: int
    new: int

    def is_fine(self, erased: int) -> bool:
        """Whether they are the same, or as near as they can be without what was erased."""
        if erased:
            return self.largest <= TOLERANCE
        return not (self.differing or self.gone or self.new)


@click.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def reproduce(app: App, run: str, *, as_json: bool) -> None:
    r"""Make the scores of RUN again, from its record and the change audit log alone.

    The inputs are rebuilt as they were at the offsets that the record names, and rows that were
    erased since are named by their places. Exits with 1 where the scores are not the same: to the
    last digit, or within 0.02 where somebody was erased, since the model has learnt from less.

    \b
    Example:
      mesh reproduce R-2026-05-31-0123456789ab
    """
    from mesh.cli.batch_inputs import reading
    from mesh.cli.logged import Logged

    product = product_of(app.project)
    take = reading(app, product.id)
    with steps() as progress:
        progress.say("looking for the record")
        record = record_of(take(RECORDS).rows.to_pylist(), run)
        written = only(take(SCORES).rows, run)
        logged = Logged(app, product.id, json.loads(record["inputs"]), progress.say)
        new_record, made = again(app, product, record, logged)
    found = compared(written, made)
    erased = sum(len(each) for each in logged.erased.values())
    if as_json:
        show_json(document(run, found, logged.erased, others(record, new_record)))
    else:
        for line in told(found, logged.erased, others(record, new_record)):
            click.echo(printable(line))
    sys.exit(0 if found.is_fine(erased) else 1)


def product_of(project: Project) -> Product:
    """The product whose runs are recorded. Raises `WrongUse` where there is none."""
    for product in project.products.values():
        if {RECORDS, SCORES} <= {each.name for each in product.inputs if each.is_own}:
            return product
    raise WrongUse(f"no product here records its runs (input ports {RECORDS} and {SCORES})")


def record_of(records: Sequence[Mapping[str, Any]], run: str) -> Mapping[str, Any]:
    """The record of a run. Raises `WrongUse` where there is none."""
    for each in records:
        if each["run_id"] == run:
            return each
    known = ", ".join(str(each["run_id"]) for each in records[-5:]) or "none"
    raise WrongUse(f"there is no run {run[:60]!r}: the last ones are {known}")


def only(rows: pa.Table, run: str) -> pa.Table:
    """The rows of one run."""
    import pyarrow.compute as pc

    return rows.filter(pc.equal(rows["run_id"], run))


def again(
    app: App, product: Product, record: Mapping[str, Any], logged: Logged
) -> tuple[Mapping[str, Any], pa.Table | None]:
    """Run the product's own code on what was logged; its record and scores, written nowhere."""
    from mesh.product.batch import Batch
    from mesh.wiring.runs import own_run

    said: dict[str, pa.Table] = {}
    own_run(product)(
        Batch(
            product=product,
            project=app.project,
            as_of=date.fromisoformat(str(record["as_of"])),
            folder=app.home.path.joinpath,
            announce=said.__setitem__,
            say=logged.say,
            options={"model_version": str(record["model_version"])},
            read=logged.take,
        )
    )
    return said[RECORDS].to_pylist()[0], said.get(SCORES)


def compared(written: pa.Table, made: pa.Table | None) -> Compared:
    """How two tables of scores differ, whatever their order."""
    before, after = by_key(written), {} if made is None else by_key(made)
    apart = [abs(before[key] - after[key]) for key in before.keys() & after.keys()]
    differing = sum(each > 0 for each in apart)
    return Compared(
        equal=len(apart) - differing,
        differing=differing,
        largest=float(max(apart, default=0)),
        gone=len(before.keys() - after.keys()),
        new=len(after.keys() - before.keys()),
    )


def by_key(scores: pa.Table) -> dict[tuple[str, str], Any]:
    """Each score by contract and role."""
    columns = (scores[name].to_pylist() for name in ("contract_number", "role", "score"))
    rows = zip(*columns, strict=True)
    return {(contract, role): score for contract, role, score in rows if contract is not None}


def others(record: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What the run was made with that is another one here."""
    found = [] if record["code_hash"] == new["code_hash"] else ["the product's code"]
    then, now = json.loads(record["libraries"]), json.loads(new["libraries"])
    found += [
        f"{name} {version} (here {now.get(name, 'none')})"
        for name, version in then.items()
        if now.get(name) != version
    ]
    return found


def document(
    run: str, found: Compared, erased: Mapping[str, Sequence[str]], other: list[str]
) -> Mapping[str, object]:
    """What was found, as JSON."""
    return {
        "run": run,
        "is_same": found.is_fine(sum(map(len, erased.values()))),
        "equal": found.equal,
        "differing": found.differing,
        "largest_difference": found.largest,
        "gone": found.gone,
        "new": found.new,
        "erased_since": erased,
        "made_with_others": other,
    }


def told(found: Compared, erased: Mapping[str, Sequence[str]], other: list[str]) -> list[str]:
    """What was found, for a person."""
    lines = [f"made with another: {each}" for each in other]
    for port, places in erased.items():
        lines += [f"erased since: {port} {each}" for each in places]
    lines.append(f"{found.equal} scores are the same to the last digit")
    if found.differing:
        lines.append(f"{found.differing} differ, by {found.largest:.6f} at most")
    if found.gone:
        lines.append(f"{found.gone} cannot be made any more")
    if found.new:
        lines.append(f"{found.new} were not there")
    return lines
