"""What one product is made of, resolved and linted: its ports, contracts and queries."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.contract.faults import Fault
from mesh.contract.model import Contract, InputPort, OutputPort, Product
from mesh.contract.project import Project
from mesh.errors import InvalidFile
from mesh.product.transform import EventQuery, read_event_query

__all__ = ["Input", "Output", "Plan", "input_of", "plan_product", "position_topic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input port. *name* is what SQL calls it; what breaks its contract goes to *rejected*."""

    name: str
    contract: Contract
    rejected_topic: str


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
class Plan:
    """One product, ready to run."""

    product: Product
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]

    def outputs_of(self, source: Input) -> tuple[Output, ...]:
        """The output ports that *source* feeds."""
        return tuple(each for each in self.outputs if each.source.name == source.name)

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
    outputs = tuple(plan_output(port, sources) for port in product.outputs)
    return Plan(product=product, inputs=tuple(sources.values()), outputs=outputs)


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
    return Output(port=port, source=source, query=query)


def position_topic(product: Product) -> str:
    """The topic that says what a product's relay published last; its transactional id too."""
    return f"priv.{product.domain}.{product.id}.position.v1"
