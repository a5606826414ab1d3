"""What one product is made of, resolved and linted: its ports, contracts and queries."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mesh.contract.faults import Fault
from mesh.contract.model import Contract, InputPort, OutputPort, Product
from mesh.contract.project import Project
from mesh.errors import InvalidFile
from mesh.product.state_query import StateQuery, read_state_query
from mesh.product.transform import EventQuery, read_event_query

__all__ = ["Input", "Output", "Plan", "StateOutput", "input_of", "plan_product", "position_topic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input port. *name* is what SQL calls it; what breaks its contract goes to *rejected*."""

    name: str
    contract: Contract
    rejected_topic: str

    @property
    def retry_topic(self) -> str:
        """Where its owner puts what is to be taken in once more."""
        return self.rejected_topic.replace(".rejected.", ".retry.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An event port with the input that its query maps."""

    port: OutputPort
    source: Input
    query: EventQuery

    @property
    def contract(self) -> Contract:
        """What the port promises."""
        return self.port.contract


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

    @property
    def outputs(self) -> tuple[Output | StateOutput, ...]:
        """Every output port, of either kind."""
        return (*self.events, *self.states)

    @property
    def state_inputs(self) -> tuple[Input, ...]:
        """The inputs of which the last row a key counts."""
        return tuple(each for each in self.inputs if each.contract.kind == "state")

    def outputs_of(self, source: Input) -> tuple[Output, ...]:
        """The event ports that *source* feeds."""
        return tuple(each for each in self.events if each.source.name == source.name)

    @property
    def tables(self) -> tuple[tuple[str, str, Contract], ...]:
        """Schema, name and contract of every table that the storage keeps."""
        inputs = [("input", each.name, each.contract) for each in self.inputs]
        outputs = [("main", each.contract.name, each.contract) for each in self.outputs]
        return (*inputs, *outputs)


def plan_product(project: Project, product_id: str) -> Plan:
    """Resolve a product of *project*.

    Raises `WrongUse` where there is no such product, `InvalidFile` for faults in its SQL.
    """
    product = project.product(product_id)
    sources = {each.name: each for each in (input_of(project, product, p) for p in product.inputs)}
    events = [each for each in product.outputs if each.contract.kind == "event"]
    states = [each for each in product.outputs if each.contract.kind == "state"]
    return Plan(
        product=product,
        inputs=tuple(sources.values()),
        events=tuple(plan_output(port, sources) for port in events),
        states=tuple(plan_state(port, sources) for port in states),
    )


def input_of(project: Project, product: Product, port: InputPort) -> Input:
    """One input port with its contract."""
    contract = project.input_contract(port)
    return Input(
        name=port.name.replace("-", "_"),
        contract=contract,
        rejected_topic=f"priv.{product.domain}.{product.id}.{port.name}.rejected.v{contract.major}",
    )


def plan_output(port: OutputPort, sources: dict[str, Input]) -> Output:
    """Find the input that a port's query maps."""
    query = read_event_query(port.sql_path)
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
    return Output(port=port, source=source, query=query)


def plan_state(port: OutputPort, sources: dict[str, Input]) -> StateOutput:
    """A state port with its query, linted against the inputs."""
    contracts = {name: each.contract for name, each in sources.items()}
    query = read_state_query(port.sql_path, port.contract, contracts)
    return StateOutput(port=port, query=query)


def position_topic(product: Product) -> str:
    """The topic that says what a product's relay published last; its transactional id too."""
    return f"priv.{product.domain}.{product.id}.position.v1"
