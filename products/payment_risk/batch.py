"""What `mesh run-batch payment-risk` calls: inputs from batch ports, results to ports of its own.

The scores go first, in one transaction, and the record after them: `scores.sql` believes no run
before it has both. Of a stopped run the record goes alone, and the port `runs` sets it
aside by its rule `fair`, which is how its owner is told. Not here: the algorithm (`run`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mesh.contract.types import arrow_schema
from mesh.errors import SettingsError, WrongUse
from mesh.product.batch import Batch
from products.payment_risk.recipes import CORRECTED, RECIPES

__all__ = ["run"]

INPUTS = ("invoices", "payments", "instalments", "handovers", "payer-age-bands")
SCORES, RECORDS = "run-scores", "run-records"
KEY = ("contract_number", "role")


def run(batch: Batch) -> Mapping[str, Any]:
    """Run once, as of the end of a day. Raises `SettingsError` without the extra `risk`."""
    try:
        from products.payment_risk.run import Promise
        from products.payment_risk.run import run as judged
    except ImportError as error:
        raise SettingsError(
            f"payment-risk cannot learn without its libraries ({error}): pip install -e '.[risk]'"
        ) from error
    promised = promise_of(batch)
    tables, places = {}, []
    for port in INPUTS:
        batch.say(f"reading {port}")
        found = batch.read(port)
        tables[port.replace("-", "_")] = found.rows
        places.append({"port": port, "rows": found.rows.num_rows, **found.place})
    batch.say("learning and judging")
    done = judged(
        tables,
        batch.as_of,
        Promise(bound=promised["bound"], measure=promised["measure"]),
        batch.options.get("recipe") or recipe_of(batch.options.get("model_version", "")),
        json.dumps(places),
    )
    if done.scores.num_rows:
        batch.announce(SCORES, with_end(done.scores))
    batch.announce(RECORDS, as_row(batch, done.record))
    is_stopped = done.record["outcome"] == "stopped"
    return {
        "run": {**done.record, "as_of": str(batch.as_of)},
        "is_stopped": is_stopped,
        "said": told(done.record),
    }


def with_end(scores: pa.Table) -> pa.Table:
    """The rows of a run as they are staged; the last one says that all are there."""
    run, contracts, roles = (scores[name].to_pylist() for name in ("run_id", *KEY))
    ids = ["/".join(each) for each in zip(run, contracts, roles, strict=True)]
    staged = scores.add_column(0, "row_id", pa.array(ids))
    end = {"row_id": f"{run[0]}/end", "run_id": run[0], "as_of": scores["as_of"][0].as_py()}
    return pa.concat_tables([staged, pa.Table.from_pylist([end], schema=staged.schema)])


def told(record: Mapping[str, Any]) -> list[str]:
    """What came of a run, for a person."""
    found = [
        f"{record['run_id']}: {record['outcome']}, by the model {record['model_version']}",
        f"learnt from {record['count_examples']} instalments; area under the curve"
        f" {record['auc']:.2f}",
        f"equalised-odds difference {record['equalized_odds_difference']:.3f}, demographic-parity"
        f" difference {record['demographic_parity_difference']:.3f}",
    ]
    if record["outcome"] == "stopped":
        return [*found, f"nothing is published: {record['reason']}"]
    return [*found, f"{record['count_scores']} scores published"]


def recipe_of(model_version: str) -> str:
    """By which recipe a model was made. Raises `WrongUse` where this code has it no more."""
    if not model_version:
        return CORRECTED
    for name, recipe in RECIPES.items():
        if recipe.version == model_version:
            return name
    raise WrongUse(f"this code makes no model {model_version}: take that of the run's code_hash")


def promise_of(batch: Batch) -> Mapping[str, Any]:
    """The promise of fairness in the contract of the scores."""
    (scores,) = [each.contract for each in batch.product.outputs if each.name == "scores"]
    customs: Any = scores.document["customProperties"]
    found: Mapping[str, Any] = next(
        each["value"] for each in customs if each["property"] == "fairness"
    )
    return found


def as_row(batch: Batch, record: Mapping[str, Any]) -> pa.Table:
    """A record as its staging contract has it."""
    contract = batch.project.contract(f"{batch.product.id}.{RECORDS}")
    read = sum(sum(each["offsets"].values()) for each in json.loads(record["inputs"]))
    return pa.Table.from_pylist([{**record, "count_read": read}], schema=arrow_schema(contract))
