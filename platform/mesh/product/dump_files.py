"""Writes the folder of a raw product: descriptor, contract and README, for its owner to edit.

The contract is a draft; what only a person knows stands in it as a question. Not here: what was
found in the file (`dump_guess`), the rows (`delivery`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from mesh.contract.names import to_snake
from mesh.contract.odps import DESCRIPTOR, MANAGEMENT
from mesh.product.dump_contract import Raw, contract_document, quotable
from mesh.product.dump_guess import Guessed

__all__ = ["Plain", "as_yaml", "management", "write_product"]

SAID = {
    "discoverability": "What the product offers, and its contracts.",
    "observability": "Health, rows and quarantine.",
    "control": "Pause and resume.",
    "dictionary": "Every field of every port, with its type and meaning.",
}


def write_product(folder: Path, raw: Raw, guessed: Guessed) -> None:
    """Write all files of the product into *folder*, which is there and empty."""
    (folder / "contracts").mkdir()
    questions = "".join(f"# - {each}\n" for each in questions_of(guessed))
    head = (
        f"# Made by `mesh dump` from {quotable(raw.file)}, to be edited by its owner.\n"
        "# Its `status: active` says that the owner accepts it; before, have an answer to:\n"
        f"{questions}"
    )
    contract = head + as_yaml(contract_document(raw, guessed))
    path = folder / "contracts" / f"{to_snake(raw.port)}.odcs.yaml"
    path.write_text(contract, encoding="utf-8")
    (folder / DESCRIPTOR).write_text(as_yaml(descriptor_document(raw)), encoding="utf-8")
    (folder / "README.md").write_text(readme(raw), encoding="utf-8")
    (folder / "__init__.py").write_text(f'"""{raw.title}: a raw data product."""\n')


class Plain(yaml.SafeDumper):
    """Writes a value out wherever it stands: our files know no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Whatever it is."""
        return True


def as_yaml(document: dict[str, object]) -> str:
    """A document as text, in the order in which it was made."""
    text: str = yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True, width=96)
    return text


def questions_of(guessed: Guessed) -> Iterator[str]:
    """What the owner should look at before accepting the contract."""
    yield "What is one row, and what is the data for? (`description:`, `purpose`)"
    key = ", ".join(guessed.key)
    others = " or ".join(", ".join(each) for each in guessed.other_keys)
    yield f"Is {key} the key?" + (f" It could be {others} too." if others else "")
    yield from guessed.notes
    for each in guessed.fields:
        name = each.column.name
        if each.identifier is not None:
            yield f"{name}: is it the identifier {each.identifier.name}?"
        if each.candidates:
            yield f"{name}: does it hold an identifier, {' or '.join(each.candidates)}?"
        if each.may_be_personal and not (each.identifier and each.identifier.is_personal):
            yield f"{name}: is it personal? (customProperty `personal`)"
        yield from (f"{name}: {note}" for note in each.notes)


def descriptor_document(raw: Raw) -> dict[str, object]:
    """The ODPS descriptor."""
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": raw.product,
        "name": raw.title,
        "version": "1.0.0",
        "status": "draft",
        "domain": raw.domain,
        "type": "sourceAligned",
        "description": {
            "purpose": f"Raw data of the domain {raw.domain}, as it came.",
            "usage": "Find out whether it is of use; ask its owner for more.",
            "limitations": "Delivered as files; nobody has promised anything yet.",
        },
        "outputPorts": [
            {
                "name": raw.port,
                "description": "One row per row of the delivered file.",
                "type": "parquet",
                "version": "1.0.0",
                "contractId": raw.contract,
            }
        ],
        **management(raw.product, raw.title, raw.owner),
    }


def management(product: str, title: str, owner: str) -> dict[str, object]:
    """The part of a descriptor that all have: management ports, team and support."""
    return {
        "managementPorts": [
            {"name": each, "content": each, "type": "rest", "description": SAID[each]}
            for each in MANAGEMENT
        ],
        "team": {"name": title, "members": [{"username": owner, "role": "owner"}]},
        "support": [{"channel": product, "url": f"mailto:{owner}", "tool": "email"}],
    }


def readme(raw: Raw) -> str:
    """What a person reads first."""
    return (
        f"# {raw.title}\n\n"
        f"Owner: <{raw.owner}>, of the domain {raw.domain}.\n\n"
        "## Promise\n\n"
        "None yet: raw data as it came, to find out whether it is of use.\n"
        f"The contract `contracts/{to_snake(raw.port)}.odcs.yaml` is a draft that was inferred "
        "from the file.\n\n"
        "## Ports\n\n"
        "| port | kind | where |\n|---|---|---|\n"
        f"| output `{raw.port}` | batch | `data/{raw.port}/current.parquet` |\n"
    )
