"""What follows from a change of one field: the ports made of it, their products, their readers.

    found = impact_of(trace(project), Ref("call-center.calls", "phone_number"))
    [each.contract_id for each in found.ports]

From descriptors and SQL alone; nothing need run. Not here: of what a port is made (`columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mesh.contract.columns import PortColumns, PortReader, Ref
from mesh.contract.lineage import Edge, declared_edges
from mesh.contract.names import listed, nearest
from mesh.contract.project import Project
from mesh.errors import WrongUse

__all__ = ["Impact", "Lineage", "Touched", "impact_of", "trace"]

DOOR = "door.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Of what every port of a project is made, and who reads which."""

    project: Project
    ports: Mapping[str, PortColumns]
    edges: tuple[Edge, ...]

    def ref(self, port_id: str, field: str) -> Ref:
        """A field of a port. Raises `WrongUse` where there is none."""
        contract = self.project.contract(port_id)
        names = [each.name for each in contract.fields]
        if field in names:
            return Ref(contract.id, field)
        near = nearest(field, names)
        hint = f"did you mean {near}?" if near else f"its fields are {listed(names)}"
        raise WrongUse(f"{contract.id} has no field {field}: {hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A port downstream: *fields* take their value from what changes.

    *has_rows* says that it decides which rows there are; *steps* how many products away it is;
    *unknown* why it could not be told, in which case all of it counts as touched.
    """

    contract_id: str
    product: str
    steps: int
    fields: tuple[str, ...]
    has_rows: bool
    people: tuple[str, ...]
    unknown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a change of *ref* breaks, and whom.

    *people* may read the port itself. *spared* are products that read the port and do not use
    the field. *doors* are products that answer with Python of their own from what is touched,
    of which nothing is known.
    """

    ref: Ref
    ports: tuple[Touched, ...]
    products: tuple[str, ...]
    owners: tuple[str, ...]
    people: tuple[str, ...]
    spared: tuple[str, ...]
    doors: tuple[str, ...]

    def as_document(self) -> dict[str, object]:
        """The same as JSON."""
        return {
            "field": str(self.ref),
            "ports": [
                {
                    "port": each.contract_id,
                    "product": each.product,
                    "steps": each.steps,
                    "fields": list(each.fields),
                    "rows": each.has_rows,
                    "people": list(each.people),
                    "unknown": each.unknown,
                }
                for each in self.ports
            ],
            "products": list(self.products),
            "owners": list(self.owners),
            "people": list(self.people),
            "spared": list(self.spared),
            "doors": list(self.doors),
        }


def trace(project: Project, before: Lineage | None = None) -> Lineage:
    """Of what every port of *project* is made; reads the SQL of all products.

    Of a product that is as it was *before*, as are all ports that it reads, nothing is read.
    """
    reader = PortReader(project)
    kept = unchanged(project, before) if before else {}
    ports = {
        each.id: kept.get(each.id) or reader.columns(each) for each in project.contracts.values()
    }
    pairs = columns_by_edge(ports)
    edges = [
        replace(each, columns=tuple(sorted(pairs.get((each.source, each.target), ()))))
        for each in declared_edges(project)
    ]
    return Lineage(project=project, ports=ports, edges=tuple(edges))


def unchanged(project: Project, before: Lineage) -> dict[str, PortColumns]:
    """The ports of products that are the same values as before, and read the same ones."""
    old, new = before.project.contracts, project.contracts
    is_same_family = before.project.relations == project.relations
    return {
        contract.id: before.ports[contract.id]
        for product in project.products.values()
        if before.project.products.get(product.id) is product
        and all(
            is_same_family
            if each.family
            else old.get(each.contract_id) is new.get(each.contract_id)
            for each in product.inputs
        )
        for contract in product.contracts
    }


def columns_by_edge(
    ports: Mapping[str, PortColumns],
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By source and product: pairs of a field of the one and a field of a port of the other."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for port in ports.values():
        if port.unknown:
            continue
        product = port.contract_id.partition(".")[0]
        for name, refs in port.values.items():
            for ref in refs:
                pair = (ref.field, f"{port.contract_id}.{name}")
                found.setdefault((ref.contract_id, product), []).append(pair)
    return found


def impact_of(lineage: Lineage, ref: Ref) -> Impact:
    """What a change of the field *ref* breaks."""
    project = lineage.project
    touched = downstream(lineage, ref)
    readers = [each.target for each in lineage.edges if each.source == ref.contract_id]
    hit = {each.product for each in touched}
    reached = {*hit, ref.contract_id.partition(".")[0], *readers}
    doors = [each for each in reached if (project.products[each].folder / DOOR).is_file()]
    return Impact(
        ref=ref,
        ports=touched,
        products=tuple(sorted(hit)),
        owners=tuple(sorted({project.products[each].owner for each in hit} - {""})),
        people=people_of(project, ref.contract_id),
        spared=tuple(sorted({*readers} - hit)),
        doors=tuple(sorted(doors)),
    )


def downstream(lineage: Lineage, ref: Ref) -> tuple[Touched, ...]:
    """The ports made of *ref*, directly and through others, the nearest first."""
    found: dict[str, Touched] = {}
    changed, unsteady = {ref}, set[str]()
    for steps in range(1, len(lineage.ports) + 1):
        before = {name: (each.fields, each.has_rows) for name, each in found.items()}
        for port in lineage.ports.values():
            each = touch(lineage, port, changed, unsteady)
            if each is not None:
                first = found.get(port.contract_id)
                found[port.contract_id] = replace(each, steps=first.steps if first else steps)
        # After the round: what it found is one step nearer than what follows from it.
        for each in found.values():
            changed |= {Ref(each.contract_id, name) for name in each.fields}
            unsteady |= {each.contract_id} if each.has_rows else set()
        if before == {name: (each.fields, each.has_rows) for name, each in found.items()}:
            break
    return tuple(sorted(found.values(), key=lambda each: (each.steps, each.contract_id)))


def touch(
    lineage: Lineage, port: PortColumns, changed: set[Ref], unsteady: set[str]
) -> Touched | None:
    """The port, if a field of *changed* is used in it, or one of the ports *unsteady* is read."""
    reads_unsteady = any(each.contract_id in unsteady for each in port.named)
    if not (port.named & changed or reads_unsteady):
        return None
    product = port.contract_id.partition(".")[0]
    return Touched(
        contract_id=port.contract_id,
        product=product,
        steps=0,
        fields=tuple(name for name, refs in port.values.items() if refs & changed),
        has_rows=bool(port.decides & changed) or reads_unsteady,
        people=people_of(lineage.project, port.contract_id),
        unknown=port.unknown,
    )


def people_of(project: Project, contract_id: str) -> tuple[str, ...]:
    """The people who were granted a port."""
    return tuple(each.name for each in project.people.values() if each.is_granted(contract_id))
