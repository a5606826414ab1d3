"""A mesh of any size that nobody wrote: products with ports, fields, readers, and what was seen.

The same numbers make the same mesh. For tests and measurements of the catalogue; nothing of it
can be run.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.shelf import Entry, Observed, Shelf
from mesh.contract.field_type import FieldType
from mesh.contract.identifiers import Identifier
from mesh.contract.ladder import RUNGS, Proof, Rung, Standing
from mesh.contract.lineage import declared_edges
from mesh.contract.model import Contract, Field, InputPort, OutputPort, Product
from mesh.contract.people import Grant, Person
from mesh.contract.project import Project

__all__ = ["NOW", "many", "observations", "standing_on"]

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DOMAINS = (
    "sales", "finance", "logistics", "marketing", "network", "identity", "risk", "legal",
    "customer-service", "procurement", "human-resources", "roaming", "billing", "retail",
    "wholesale", "energy", "facilities", "security", "research", "partners", "devices",
    "television", "insurance", "payments", "regulation",
)  # fmt: skip
NOUNS = (
    "orders", "invoices", "shipments", "campaigns", "cells", "people", "alerts", "cases", "calls",
    "suppliers", "shifts", "sessions", "accounts", "stores", "offers", "meters", "rooms", "badges",
    "trials", "agreements", "handsets", "channels", "claims", "transfers", "reports", "returns",
    "visits", "tickets", "outages", "readings", "stocks", "routes", "parcels", "leads", "surveys",
)  # fmt: skip
KINDS = ("open", "closed", "daily", "planned", "late", "priced", "ranked", "merged", "raw", "known")
FIELDS = (
    "created_at", "closed_at", "amount", "currency", "status", "reason", "region", "phone_number",
    "contract_number", "weight", "priority", "source", "note", "email_address", "score", "unit",
    "postal_code", "language", "device_model", "household", "agent", "channel", "duration_s",
)  # fmt: skip
IDENTIFIERS = ("phone-number", "contract-number", "email-address", "order-number", "device-id")
WORDS = (
    "what", "happened", "to", "each", "customer", "as", "the", "system", "of", "record", "knows",
    "it", "with", "time", "place", "and", "price", "after", "checks", "by", "domain", "for",
    "planning", "monthly", "figures", "without", "corrections", "until", "settled", "number",
)  # fmt: skip


def many(products: int = 500, ports: int = 10, fields: int = 10, seed: int = 7) -> Shelf:
    """A shelf of so many *products* of so many *ports*."""
    draw = random.Random(seed)  # noqa: S311 - no secret is drawn
    made = [product(draw, number, ports, fields) for number in range(products)]
    made = [with_inputs(draw, each, made) for each in made]
    project = Project(
        root=Path(),
        products={each.id: each for each in made},
        identifiers={name: identifier(name) for name in IDENTIFIERS},
        people={"ada": reader(made)},
    )
    entries = {
        each.id: Entry(
            product=each,
            record={"id": each.id, "version": each.version},
            standing=standing_on(draw.choice(RUNGS)),
            observed=(history := observations(draw, each))[-1],
            history=history,
        )
        for each in made
    }
    return Shelf(project=project, entries=entries, edges=declared_edges(project))


def product(draw: random.Random, number: int, ports: int, fields: int) -> Product:
    """One product; its name has its number, so that no two are called the same."""
    noun, kind = draw.choice(NOUNS), draw.choice(KINDS)
    id_, domain = f"{kind}-{noun}-{number}", DOMAINS[number % len(DOMAINS)]
    contracts = [contract(draw, id_, domain, port, fields) for port in range(ports)]
    return Product(
        id=id_,
        version="1.0.0",
        name=f"{kind.capitalize()} {noun} {number}",
        domain=domain,
        owner=f"team-{number % 60}@telco.example",
        description=sentence(draw),
        inputs=(),
        outputs=tuple(
            OutputPort(name=each.port, contract=each, sql_path=Path()) for each in contracts
        ),
        contracts=tuple(contracts),
        folder=Path(),
        document={"status": "active", "description": {"purpose": sentence(draw)}},
    )


def contract(draw: random.Random, owner: str, domain: str, number: int, count: int) -> Contract:
    """One port's contract."""
    name = f"{draw.choice(NOUNS)}-{number}"
    names = draw.sample(FIELDS, count - 1)
    found = [Field(name="id", type=FieldType(kind="string"), is_required=True, key_position=1)]
    return Contract(
        id=f"{owner}.{name}",
        version="1.0.0",
        name=name,
        domain=domain,
        product=owner,
        description=sentence(draw),
        topic=f"pub.{domain}.{owner}.{name}.v1",
        kind="state" if number % 2 else "event",
        fields=(*found, *(field(draw, each) for each in names)),
        rules=(),
        partitions=4,
        retention_ms=None,
        purpose="To be measured.",
        access="ask",
        path=Path(),
        document={"status": "active"},
    )


def field(draw: random.Random, name: str) -> Field:
    """One column, an identifier where it is called as one."""
    known = name.replace("_", "-")
    return Field(
        name=name,
        type=FieldType(kind="string"),
        description=sentence(draw),
        identifier=known if known in IDENTIFIERS else None,
        is_personal=known in ("phone-number", "email-address"),
    )


def with_inputs(draw: random.Random, each: Product, others: Sequence[Product]) -> Product:
    """*each*, reading a port of three others, most of them of few domains."""
    ports = [draw.choice(draw.choice(others).contracts) for _ in range(3)]
    inputs = tuple(
        InputPort(name=port.port, contract_id=port.id) for port in ports if port.product != each.id
    )
    return Product(**{name: getattr(each, name) for name in each.__slots__} | {"inputs": inputs})


def identifier(name: str) -> Identifier:
    """One kind of identifier."""
    text = f"What a {name} is."
    return Identifier(name=name, description=text, owner="identity", is_personal=True)


def reader(made: Sequence[Product]) -> Person:
    """A person who may read every first port."""
    grants = [Grant(contract_id=each.contracts[0].id, purpose="", line=0) for each in made]
    return Person(name="ada", domain="marketing", grants=tuple(grants))


def sentence(draw: random.Random) -> str:
    """Ten words."""
    return " ".join(draw.choices(WORDS, k=10)).capitalize() + "."


def standing_on(rung: Rung) -> Standing:
    """A standing on *rung*, with one proof a rung."""
    reached = RUNGS.index(rung)
    proofs = tuple(
        Proof(what=f"what {each} asks", is_met=n <= reached, seen="3", needed="2", rung=each)
        for n, each in enumerate(RUNGS)
    )
    return Standing(rung=rung, evidence=proofs, next_step="let it run for a day")


def observations(draw: random.Random, product: Product, count: int = 48) -> Sequence[Observed]:
    """A day of observations, with some that found nobody."""
    found, aside = [], 0
    for number in range(count):
        is_reached = number % 17 != 11
        aside += draw.choice((0, 0, 0, 1, 5))
        rows: Mapping[str, int] = {port.name: 1000 + 10 * number for port in product.outputs}
        found.append(
            Observed(
                observed_at=NOW - timedelta(minutes=30 * (count - number)),
                state="running" if is_reached else "absent",
                is_reached=is_reached,
                lag=draw.randrange(50) if is_reached else None,
                freshness_s=draw.uniform(0.1, 4) if is_reached else None,
                last_arrival_at=NOW - timedelta(minutes=30 * (count - number) + 1),
                rows=rows,
                quarantine={port.name: aside for port in product.outputs[:1]},
            )
        )
    return found
