"""A handful of relations and links, as the key ring's ports have them, for tests of answers."""

from __future__ import annotations

import pyarrow as pa

from mesh.contract.model import Relation
from products.key_ring.chains import Chains
from products.key_ring.ring import Ring

__all__ = ["CHAINS", "INSTANT", "link", "ring", "table"]

INSTANT = pa.timestamp("us", "UTC")


def relation(name: str, one: str, other: str) -> Relation:
    return Relation(
        name=name, from_type=one, to_type=other, cardinality="many-to-one", meaning=f"a {name}"
    )


RELATIONS = (
    relation("phone-number-contract", "phone-number", "contract-number"),
    relation("contract-holder", "contract-number", "person-id"),
    relation("contract-resident", "contract-number", "person-id"),
    relation("contract-household", "contract-number", "household-id"),
    relation("contract-billing-account", "contract-number", "billing-account-number"),
    relation("billing-account-payer", "billing-account-number", "person-id"),
)
CHAINS = Chains(RELATIONS)


def link(relation: str, one: str, other: str, start: int | None = None, end: int | None = None):
    """A link that holds, with instants in microseconds."""
    return {
        "relation": relation, "statement_id": f"{relation}/{one}/{other}/{start}",
        "link_id": f"{one}-{other}", "from_type": "x", "to_type": "x", "from_id": one,
        "to_id": other, "valid_from": start, "valid_to": end, "retracted": False, "known_from": 0,
        "known_to": None, "holds": True, "cardinality": "x", "authority": "contracts",
        "topic": "pub.x", "partition": 0, "offset": 7,
    }  # fmt: skip


SCHEMA = pa.schema(
    [
        (name, INSTANT if name.startswith(("valid", "known")) else type_)
        for name, type_ in {
            **{key: pa.string() for key in link("a", "b", "c")},
            "retracted": pa.bool_(), "holds": pa.bool_(), "partition": pa.int32(),
            "offset": pa.int64(),
        }.items()
    ]
)  # fmt: skip


def table(*links) -> pa.Table:
    return pa.Table.from_pylist(list(links), SCHEMA)


def ring(*links) -> Ring:
    made = Ring()
    made.put(table(*links))
    return made
