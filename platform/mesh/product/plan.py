"""What one product is made of, resolved and linted: its ports, contracts and queries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from mesh.contract.faults import Fault
from mesh.contract.model import Contract, InputPort, OutputPort, Product
from mesh.contract.project import Project
from mesh.errors import InvalidFile
from mesh.product.family import Family, Member, find_family, members_of
from mesh.product.keep_lint import keep_faults
from mesh.product.masked import is_hashed, masked_sql, masked_state
from mesh.product.state_query import StateQuery, read_state_query
from mesh.product.transform import CAUSE, EventQuery, read_event_queries

__all__ = [
    "Input",
    "Output",
    "Plan",
    "StateOutput",
    "inputs_of",
    "plan_product",
    "position_topic",
    "rejected_topic_of",
    "retry_topic_of",
]

# A contract may have so many, by the table of customProperties.
MOST_PARTITIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input port. *name* is what SQL calls it; what breaks its contract goes to *rejected*.

    *keep* is how long rows of events are kept: `all`, `latest`, `none` or a duration. The
    members of a family are inputs of one name, since they fill one table.
    """

    name: str
    contract: Contract
    rejected_topic: str
    member: Member | None = None
    keep: str = "all"

    @property
    def kept(self) -> Contract:
        """What its table has: the contract's fields, or the family's."""
        return self.contract if self.member is None else self.member.table

    @property
    def retry_topic(self) -> str:
        """Where its owner puts what is to be taken in once more."""
        return retry_topic_of(self.rejected_topic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An event port with an input that it maps; *number* is which one, where it maps several."""

    port: OutputPort
    source: Input
    query: EventQuery
    number: int = 0

    @property
    def contract(self) -> Contract:
        """What the port promises."""
        return self.port.contract

    @property
    def shift(self) -> int:
        """What is added to partitions where the port's table says whence a row came.

        So that places on the topics of several inputs are never the same.
        """
        return self.number * MOST_PARTITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOutput:
    """A state port with its query over all that is kept."""

    port: OutputPort
    query: StateQuery

    @property
    def contract(self) -> Contract:
        """What the port promises."""
        return self.port.contract

    @property
    def digest(self) -> str:
        """Of what decides its rows: another one, and the whole port is computed anew."""
        text = "\0".join((self.contract.id, self.contract.version, self.query.sql))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One product, ready to run."""

    product: Product
    inputs: tuple[Input, ...]
    events: tuple[Output, ...]
    states: tuple[StateOutput, ...] = ()
    families: tuple[Family, ...] = ()
    # By which masked ports hash; without it, what needs it fails.
    mask_key: bytes | None = field(default=None, repr=False)

    @property
    def kept(self) -> dict[str, Contract]:
        """What each input's table has, by the name that SQL calls it."""
        tables = {each.name: each.table for each in self.families}
        return {**{each.name: each.kept for each in self.inputs}, **tables}

    @property
    def outputs(self) -> tuple[Output | StateOutput, ...]:
        """Every output port, of either kind, each once."""
        return (*(each for each in self.events if not each.number), *self.states)

    @property
    def state_inputs(self) -> tuple[Input, ...]:
        """The inputs of which the last row a key counts."""
        return tuple(each for each in self.inputs if each.contract.kind == "state")

    @property
    def replayable(self) -> tuple[Input, ...]:
        """The inputs whose messages may be taken in once more; statements are their authority's."""
        return tuple(each for each in self.inputs if each.member is None)

    def outputs_of(self, source: Input) -> tuple[Output, ...]:
        """The event ports that *source* feeds."""
        return tuple(each for each in self.events if each.source.name == source.name)

    @property
    def tables(self) -> tuple[tuple[str, str, Contract], ...]:
        """Schema, name and contract of every table that the storage keeps."""
        inputs = [("input", name, contract) for name, contract in self.kept.items()]
        outputs = [("main", each.contract.name, each.contract) for each in self.outputs]
        return (*inputs, *outputs)


def plan_product(
    project: Project, product_id: str, mask_key: Callable[[str], bytes] | None = None
) -> Plan:
    """Resolve a product of *project*; who runs it gives the *mask_key* of a product, by its id.

    Raises `WrongUse` where there is no such product, `InvalidFile` for faults in its SQL.
    """
    product = project.product(product_id)
    is_keyed = any(is_hashed(each.contract) for each in product.outputs)
    key = mask_key(product_id) if mask_key and is_keyed else None
    inputs = [each for port in product.inputs for each in inputs_of(project, product, port)]
    families = [find_family(product, port) for port in product.inputs if port.family]
    sources = {each.name: each for each in inputs if each.member is None}
    kept = {each.name: each.contract for each in sources.values()}
    kept |= {each.name: each.table for each in families}
    events = [each for each in product.outputs if each.contract.kind == "event"]
    states = [each for each in product.outputs if each.contract.kind == "state"]
    plan = Plan(
        product=product,
        inputs=tuple(inputs),
        events=tuple(each for port in events for each in plan_outputs(port, sources)),
        states=tuple(plan_state(port, kept, key or b"") for port in states),
        families=tuple(families),
        mask_key=key,
    )
    if faults := [*keep_faults(plan)]:
        raise InvalidFile(faults)
    return plan


def inputs_of(project: Project, product: Product, port: InputPort) -> tuple[Input, ...]:
    """One input port with its contract, or a family's members; none where only a run reads it."""
    if port.keep == "batch":
        return ()
    topic = rejected_topic_of(project, product, port)
    if port.family is None:
        contract = project.input_contract(port)
        name = port.name.replace("-", "_")
        return (Input(name=name, contract=contract, rejected_topic=topic, keep=port.keep),)
    family = find_family(product, port)
    return tuple(
        Input(
            name=family.name,
            contract=each.contract,
            rejected_topic=topic,
            member=each,
            keep=port.keep,
        )
        for each in members_of(family, project)
    )


def rejected_topic_of(project: Project, product: Product, port: InputPort) -> str:
    """Where a product puts what breaks the contract of an input port."""
    major = 1 if port.family else project.input_contract(port).major
    return f"priv.{product.domain}.{product.id}.{port.name}.rejected.v{major}"


def plan_outputs(port: OutputPort, sources: dict[str, Input]) -> Iterator[Output]:
    """An event port with each of the inputs that its query maps."""
    for number, query in enumerate(read_event_queries(port.sql_path)):
        yield plan_output(port, query, sources, number)


def plan_output(
    port: OutputPort, query: EventQuery, sources: dict[str, Input], number: int
) -> Output:
    """Find the input that one query of a port maps."""
    source = sources.get(query.input_name)
    if source is None:
        known = ", ".join(f"new_{name}" for name in sorted(sources))
        problem = f"it reads {query.relation}, and there is no such input port"
        remedy = f"read one of: {known}"
        raise InvalidFile([Fault(path=port.sql_path, line=0, problem=problem, remedy=remedy)])
    if source.contract.kind == "state":
        problem = f"it maps {query.relation}, and {source.name} is a state input"
        remedy = "a compacted topic may skip changes: make the port a state port"
        raise InvalidFile([Fault(path=port.sql_path, line=0, problem=problem, remedy=remedy)])
    if port.contract.masked_from is not None:
        query = replace(query, sql=masked_sql(port.contract, query.sql, (CAUSE,)))
    return Output(port=port, source=source, query=query, number=number)


def plan_state(port: OutputPort, kept: dict[str, Contract], mask_key: bytes) -> StateOutput:
    """A state port with its query, linted against the inputs' tables."""
    first = port.contract.masked_from
    query = read_state_query(port.sql_path, first or port.contract, kept)
    if first is not None:
        query = masked_state(port.contract, query, mask_key)
    return StateOutput(port=port, query=query)


def position_topic(product: Product) -> str:
    """The topic that says what a product's relay published last; its transactional id too."""
    return f"priv.{product.domain}.{product.id}.position.v1"


def retry_topic_of(rejected_topic: str) -> str:
    """The retry topic beside an input port's rejected topic."""
    return rejected_topic.replace(".rejected.", ".retry.")
