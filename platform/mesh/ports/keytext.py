"""A message key's text as filters over the key's fields: the way back from `backbone.keys`."""

from __future__ import annotations

import json

from mesh.contract.model import Contract
from mesh.contract.names import listed, shown
from mesh.errors import WrongUse
from mesh.ports.question import MAX_ROWS, Pairs

__all__ = ["pairs_of"]


def pairs_of(contract: Contract, pairs: Pairs, key: str | None) -> Pairs:
    """The parameters of a request, those of its key among them. Raises `WrongUse`."""
    if key is None:
        return pairs
    if others := [name for name, _ in pairs if name not in ("fields", "format")]:
        raise WrongUse(f"{shown(others[0])} cannot be asked of one key: only fields and format")
    return [*pairs, ("limit", str(MAX_ROWS)), *key_pairs(contract, key)]


def key_pairs(contract: Contract, key: str) -> list[tuple[str, str]]:
    """One filter a key field. Raises `WrongUse` where the text is not a key of this contract."""
    names = [each.name for each in contract.key_fields]
    if len(names) == 1:
        return [(f"{names[0]}.eq", key)]
    try:
        texts = json.loads(key)
    except (ValueError, RecursionError):
        texts = None
    if not isinstance(texts, list) or [type(each) for each in texts] != [str] * len(names):
        raise WrongUse(
            f"{shown(key)} is not a key of {contract.id}: write a JSON array of {len(names)} "
            f"texts ({listed(names)})"
        )
    return [(f"{name}.eq", text) for name, text in zip(names, texts, strict=True)]
