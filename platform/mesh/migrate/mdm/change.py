"""What a new identifier costs each side, found by adding one: a SIM card for each contract.

The key ring is given one relation more, as its authority would state it. In the twin every line
that names the telephone number needs its like; they are counted in its own source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from mesh.contract.model import Product, Relation
from mesh.contract.names import to_snake
from mesh.contract.project import Project

__all__ = ["ANY", "LIKE", "SIM", "STATED_BY", "TWIN", "Change", "Places", "places", "with_sims"]

SIM = Relation(
    name="sim-id-contract",
    from_type="sim-id",
    to_type="contract-number",
    cardinality="many-to-one",
    meaning="The SIM card is of the contract.",
)
# The twin's own source, which is to be changed; the other files of this folder only measure it.
TWIN = ("golden.py", "match.py")
NAMED, ANY = re.compile("phone_?-?number"), re.compile(".")
STATED_BY = "contracts"
LIKE = "phone-number-contract"
PRODUCT = "sim-cards"
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an identifier is named: in how many files, and lines of them."""

    files: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What had to change: lines of each side's code, the new relation's own, and what works then.

    Of *sims* asked, the ring leads *ring_known* to a user, the twin as it is *twin_known*.
    """

    twin: Places
    ring: Places
    relation: Places
    sims: int
    twin_known: int
    ring_known: int


def places(paths: Sequence[Path], named: re.Pattern[str] = NAMED) -> Places:
    """Where the code in *paths* names what *named* finds; comments and docstrings do not count."""
    hits = [sum(bool(named.search(line)) for line in code_of(path)) for path in paths]
    return Places(files=sum(each > 0 for each in hits), lines=sum(hits))


def code_of(path: Path) -> list[str]:
    """The lines of a file that say something to a machine."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        lines = [
            line.split("--")[0] if path.suffix == ".sql" else line for line in text.split("\n")
        ]
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            said = [each for each in body if not is_words(each)]
            node.body = said or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree).split("\n")


def is_words(node: ast.AST) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def with_sims(
    project: Project, records: Mapping[str, Mapping[str, pa.Table]]
) -> tuple[Project, dict[str, dict[str, pa.Table]], list[str]]:
    """*project* and *records* with a product more, which states a SIM for each contract; the SIMs.

    It is the product that states numbers, under another name: the same SQL, another contract.
    """
    known = records[STATED_BY]
    rows = sims_of(known["contract_changes"].sort_by("written_at"))
    told = {STATED_BY: {"role_changes": known["role_changes"]}, PRODUCT: {"number_changes": rows}}
    products = {**project.products, PRODUCT: sim_cards(project.product(STATED_BY))}
    return replace(project, products=products), told, rows["link_id"].to_pylist()


def sim_cards(like: Product) -> Product:
    """A product that states SIM cards as *like* states numbers."""
    port = next(each for each in like.outputs if each.contract.name == to_snake(LIKE))
    contract = replace(
        port.contract,
        id=f"{PRODUCT}.{SIM.name}",
        name=to_snake(SIM.name),
        product=PRODUCT,
        topic=f"pub.network.{PRODUCT}.{SIM.name}.v1",
        relation=SIM,
        fields=tuple(
            replace(each, identifier=SIM.from_type) if each.name == "from_id" else each
            for each in port.contract.fields
        ),
    )
    return replace(like, id=PRODUCT, outputs=(replace(port, contract=contract),))


def sims_of(changes: pa.Table) -> pa.Table:
    """A SIM for each of the newest contracts of *changes*, as records that state a number."""
    numbers = list(dict.fromkeys(changes["contract_number"].to_pylist()))[-MOST:]
    sims = [f"8901{number[2:]:0>15}" for number in numbers]
    instants = changes["written_at"]
    return pa.table(
        {
            "statement_id": sims,
            "link_id": sims,
            "phone_number": sims,
            "contract_number": numbers,
            "valid_from": pa.nulls(len(sims), instants.type),
            "valid_to": pa.nulls(len(sims), instants.type),
            "retracted": [False] * len(sims),
            "written_at": pa.repeat(instants[0], len(sims)),
        }
    )
