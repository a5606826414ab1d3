"""Access to ports: who asks for one, what its owner says, and who may read it in the end.

Pure: a state, an act, the next state. Not here: the topic that keeps them, HTTP, Kafka's rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from mesh.contract.model import Contract, Product
from mesh.contract.people import Person
from mesh.contract.project import Project
from mesh.errors import Refused, WrongUse

__all__ = [
    "ACCESS",
    "ACCESS_SERVICE",
    "GRANTS_TOPIC",
    "GRANT_SCHEMA",
    "Access",
    "accesses",
    "asked",
    "copies_of",
    "decisions",
    "ended",
    "expired",
    "granted",
    "initial",
    "require_owner",
]

ACCESS = "mesh-access"
ACCESS_SERVICE = "access"
GRANTS_TOPIC = "pub.mesh.access.grants.v1"
_TIME: object = {"type": "long", "logicalType": "timestamp-micros"}
GRANT_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "access",
    "namespace": "mesh.access",
    "doc": "One row per port and principal: the last act about this access. Key: port/principal.",
    "fields": [
        {"name": "port", "type": "string", "doc": "The id of its contract."},
        {"name": "principal", "type": "string"},
        {
            "name": "state",
            "type": "string",
            "doc": "requested, granted, refused, revoked or expired.",
        },
        {"name": "purpose", "type": "string"},
        {"name": "by", "type": "string", "doc": "Who did it: a principal, or auto."},
        {"name": "reason", "type": "string"},
        {"name": "at", "type": _TIME},
        {"name": "until", "type": ["null", _TIME], "default": None},
    ],
}
State = Literal["requested", "granted", "refused", "revoked", "expired"]
# Who grants where the contract says `access: auto`, and what ends a grant whose time is over.
AUTO, CLOCK = "auto", "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one principal may do with a *port* (a contract's id), or asks for, since the last act.

    *at* is None of what stands in files; *until* is None of what holds until it is revoked.
    """

    port: str
    principal: str
    state: State
    purpose: str
    by: str
    reason: str = ""
    at: datetime | None = None
    until: datetime | None = None

    @property
    def key(self) -> str:
        """The key of its message."""
        return f"{self.port}/{self.principal}"

    def state_at(self, now: datetime) -> State:
        """The state, by the clock too."""
        is_over = self.state == "granted" and self.until is not None and self.until <= now
        return "expired" if is_over else self.state

    def as_record(self) -> dict[str, Any]:
        """What the topic carries."""
        return asdict(self)


def accesses(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Access]:
    """What the newest records of the topic say, by key."""
    return {key: Access(**record) for key, record in records.items()}


def decisions(acts: Iterable[Access], now: datetime) -> dict[tuple[str, str], bool]:
    """Whether a principal may read a port, for all of whom *acts* tell: files say it no longer."""
    return {(each.port, each.principal): each.state_at(now) == "granted" for each in acts}


def asked(
    current: Access | None, contract: Contract, principal: str, purpose: str, now: datetime
) -> Access:
    """What a request makes of an access. Raises `WrongUse` where it is granted already."""
    if current is not None and current.state_at(now) == "granted":
        raise WrongUse(f"{principal} is granted {contract.id} already, for: {current.purpose}")
    if not purpose:
        raise WrongUse("say what for: a request has a purpose")
    found = Access(
        port=contract.id,
        principal=principal,
        state="requested",
        purpose=purpose,
        by=principal,
        at=now,
    )
    return replace(found, state="granted", by=AUTO) if contract.access == "auto" else found


def granted(
    current: Access | None,
    given: Access,
    now: datetime,
) -> Access:
    """What a grant makes of an access: *given* has who, whom, until when and why.

    Its purpose may be empty where it was asked for. Raises `WrongUse` where it cannot be.
    """
    purpose = given.purpose or (current.purpose if current is not None else "")
    if not purpose:
        raise WrongUse(f"{given.principal} has not asked for {given.port}: say the purpose")
    if given.until is not None and given.until <= now:
        raise WrongUse("this grant would be over already")
    return replace(given, state="granted", purpose=purpose, at=now)


def ended(current: Access | None, by: str, reason: str, now: datetime) -> Access:
    """What a revocation makes of an access, or of a request, which it refuses."""
    state = None if current is None else current.state_at(now)
    if current is None or state not in ("granted", "requested"):
        raise WrongUse("there is no grant and no request that could be revoked")
    after: State = "revoked" if state == "granted" else "refused"
    return replace(current, state=after, by=by, reason=reason, at=now, until=None)


def expired(acts: Iterable[Access], now: datetime) -> Iterator[Access]:
    """The ends of all grants whose time is over and that nobody has written down yet."""
    for each in acts:
        if each.state != each.state_at(now):
            yield replace(each, state="expired", by=CLOCK, reason="", at=now)


def require_owner(project: Project, contract: Contract, principal: str) -> None:
    """Raise `Refused` unless *principal* is an owner of the port's product, or that product."""
    owners = project.owners_of(contract.product)
    if principal not in (*owners, contract.product):
        who = ", ".join(owners) or contract.product
        raise Refused(f"{principal} does not own {contract.product}: {who} decides on its ports")


def initial(project: Project) -> Iterator[Access]:
    """What files say: lines of `company/people.yaml` grant, input ports ask, or are given."""
    for product in project.products.values():
        for port in product.inputs:
            family = project.relations if port.family == "relation" else ()
            single = project.contracts.get(port.contract_id)
            for contract in (*family, *([single] if single else [])):
                if contract.product != product.id:
                    # A relation grants itself to whoever reads them all.
                    is_free = contract.access == "auto" or single is None
                    giver = AUTO if is_free else project.giver_of(contract, product.id)
                    yield by_input(product, contract, giver, port.purpose)
    for person in project.people.values():
        yield from lines_of(person)


def by_input(
    product: Product, contract: Contract, giver: str | None, purpose: str | None = None
) -> Access:
    """What an input port makes of a product's access to another's port, which *giver* grants."""
    return Access(
        port=contract.id,
        principal=product.id,
        state="granted" if giver else "requested",
        purpose=purpose or product.description or product.name,
        by=giver or product.id,
        reason="an input port of its descriptor",
    )


def lines_of(person: Person) -> Iterator[Access]:
    """What a person was granted in the file."""
    for line in person.grants:
        yield Access(
            port=line.contract_id,
            principal=person.name,
            state="granted",
            purpose=line.purpose,
            by=line.contract_id.partition(".")[0],
            reason="a line of company/people.yaml",
        )


def copies_of(project: Project, port: str, acts: Iterable[Access]) -> tuple[str, ...]:
    """The products that may hold rows of *port*: those that read it, and that ever might."""
    readers = {
        each.id
        for each in project.products.values()
        if port in {its.contract_id for its in each.inputs}
    }
    ever = {each.principal for each in acts if each.port == port and each.state != "requested"}
    owner = port.partition(".")[0]
    return tuple(sorted((readers | (ever & project.products.keys())) - {owner}))
