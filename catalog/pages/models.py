"""A model card and a data sheet as data, made from the published record of a run.

A product has them that publishes records of its runs: a port with the fields in `RECORD`. Not
here: who reads the records (`model_routes`), HTML (templates), plots (`curves`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mesh.contract.model import Contract, Product
from mesh.contract.project import Project
from mesh.errors import WrongUse
from mesh.ports.refusals import NotThere

__all__ = ["RECORD", "card_document", "chosen", "has_records", "runs_of", "sheet_document"]

RECORD = frozenset(
    {"run_id", "as_of", "model_version", "code_hash", "seed", "libraries", "inputs", "figures"}
)
Record = Mapping[str, Any]


def runs_of(product: Product) -> Contract | None:
    """The port of a product that has the records of its runs, if there is one."""
    contracts = (each.contract for each in product.outputs)
    return next((each for each in contracts if has_records(each)), None)


def has_records(contract: Contract) -> bool:
    """Whether a port has the records of runs."""
    return {each.name for each in contract.fields} >= RECORD


def chosen(records: Sequence[Record], run: str) -> Record:
    """The record of *run*, or the newest. Raises `NotThere`."""
    for each in records:
        if run in ("", each["run_id"]):
            return each
    raise NotThere(f"there is no run {run[:60]!r}" if run else "no run has been published yet")


def card_document(contract: Contract, records: Sequence[Record], record: Record) -> dict[str, Any]:
    """How well and how fairly the model of a run judges, and by which promise."""
    figures = parsed(record, "figures")
    return {
        "product": contract.product,
        "port": contract.id,
        "purpose": contract.purpose,
        "run": {name: each for name, each in record.items() if name not in ("figures", "inputs")},
        "fairness": fairness_of(contract),
        "groups": [{"name": name, **each} for name, each in figures.items()],
        "runs": [
            {name: each.get(name) for name in ("run_id", "as_of", "model_version", "auc")}
            for each in records
        ],
    }


def sheet_document(project: Project, contract: Contract, record: Record) -> dict[str, Any]:
    """What a run learnt from: each input, what it is for, and what is known against it."""
    product = project.products[contract.product]
    fairness = fairness_of(contract)
    attribute = str(fairness.get("attribute", "")).rpartition(".")[0]
    used = {each["port"]: each for each in parsed(record, "inputs")}
    inputs = []
    for port in product.inputs:
        if port.name not in used:
            continue
        source = project.contracts.get(port.contract_id)
        inputs.append(
            {
                "port": port.name,
                "contract": port.contract_id,
                "rows": used[port.name]["rows"],
                "topic": used[port.name]["topic"],
                "offsets": used[port.name]["offsets"],
                "is_for_check": port.contract_id == attribute,
                "about": source.description if source else "",
                "is_personal": source.has_personal_fields if source else None,
            }
        )
    return {
        "product": contract.product,
        "port": contract.id,
        "run": {name: record[name] for name in ("run_id", "as_of", "model_version")},
        "count_examples": record.get("count_examples"),
        "code_hash": record["code_hash"],
        "seed": record["seed"],
        "libraries": parsed(record, "libraries"),
        "inputs": inputs,
        "groups": [
            {"name": name, "count": each.get("count"), "unpaid": each.get("unpaid")}
            for name, each in parsed(record, "figures").items()
        ],
    }


def fairness_of(contract: Contract) -> Mapping[str, Any]:
    """The promise of fairness of a contract; empty where it makes none."""
    customs: Any = contract.document.get("customProperties") or ()
    found = [each["value"] for each in customs if each.get("property") == "fairness"]
    return found[0] if found else {}


def parsed(record: Record, name: str) -> Any:
    """A field of a record that is JSON. Raises `WrongUse` where it is none."""
    try:
        return json.loads(record[name])
    except (TypeError, ValueError) as error:
        raise WrongUse(f"{name} of the run {record['run_id']} is no JSON") from error
