"""Judges a descriptor: the same loaders and policies that a product's files meet, in one function.

A descriptor becomes files in a folder of its own for the time of the judgement, so whatever way
it came, it is read as files are. Not here: who may send it (`desk`), and where it goes then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.verdict import Found
from mesh.contract.descriptor import Descriptor, canonical, digest_of, materialise
from mesh.contract.faults import Fault
from mesh.contract.model import Contract, Product
from mesh.contract.odps import load_product
from mesh.contract.policies import check_product
from mesh.contract.project import Project
from mesh.errors import InvalidFile

__all__ = ["Accepted", "Judgement", "accepted_in", "judge"]


# A verdict is a message too.
MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A product that holds: its canonical text with its digest, and the product that it makes."""

    text: str
    digest: str
    product: Product

    def as_record(self) -> dict[str, str]:
        """What the topic of accepted products carries."""
        product = self.product
        return {
            "id": product.id,
            "domain": product.domain,
            "version": product.version,
            "owner": product.owner,
            "descriptor": self.text,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found; *accepted* is None where any of it is an error."""

    digest: str
    findings: tuple[Found, ...]
    accepted: Accepted | None = None


def judge(descriptor: Descriptor, project: Project, domain: str) -> Judgement:
    """Judge *descriptor*, of a principal of *domain*, beside the accepted products of *project*."""
    digest = ""
    with tempfile.TemporaryDirectory(prefix="mesh-descriptor-") as name:
        root = Path(name).resolve()
        try:
            text = canonical(descriptor)
            digest = digest_of(text)
            product = load_product(materialise(descriptor, root), needs_sql=False)
        except InvalidFile as error:
            found = [found_of(fault, root) for fault in error.faults]
            return Judgement(digest=digest, findings=tuple(found[:MAX_FINDINGS]))
        # What refuses comes first, so that nothing of it is left out for a warning.
        every = sorted(all_found(descriptor, product, project, domain, root), key=by_level)
        findings = tuple(every[:MAX_FINDINGS])
    if any(each.level == "error" for each in findings):
        return Judgement(digest=digest, findings=findings)
    accepted = Accepted(text=text, digest=digest, product=product)
    return Judgement(digest=digest, findings=findings, accepted=accepted)


def by_level(found: Found) -> str:
    """What orders findings: errors before warnings."""
    return found.level


def all_found(
    descriptor: Descriptor, product: Product, project: Project, domain: str, root: Path
) -> Iterator[Found]:
    """What the policies find, and whether it is the sender's to say."""
    if product.id != descriptor.id:
        yield refused("identity", f"the descriptor of {product.id} came as {descriptor.id}'s")
    if product.domain != domain:
        problem = f"{product.id} is a principal of the domain {domain}, not of {product.domain}"
        yield refused("identity", problem)
    beside = replace(
        project,
        products={**project.products, product.id: product},
        accepted=project.products,
    )
    try:
        found = check_product(product, beside)
    except InvalidFile as error:  # the domain's own policies
        yield from (found_of(fault, project.root.parent) for fault in error.faults)
        return
    for each in found:
        yield found_of(each.fault, root, level=each.level)


def refused(rule: str, problem: str) -> Found:
    """Somebody described what is not theirs."""
    remedy = "describe the product whose principal you are, in its own domain"
    return Found(level="error", rule=rule, place="product.yaml", problem=problem, remedy=remedy)


def found_of(fault: Fault, root: Path, *, level: str = "error") -> Found:
    """A fault, its place as the author knows it: without the folder of the judgement."""
    path = fault.path
    if path.is_relative_to(root):
        path = Path(*path.relative_to(root).parts[1:])
    return Found(
        level=level,
        rule=fault.rule,
        place=f"{path}:{fault.line}" if fault.line else str(path),
        problem=fault.problem,
        remedy=fault.remedy,
    )


def accepted_in(descriptor: Descriptor, text: str, root: Path) -> Accepted:
    """What was accepted once, read again from its canonical *text*; its files lie below *root*."""
    product = load_product(materialise(descriptor, root), needs_sql=False)
    return Accepted(text=text, digest=digest_of(text), product=product)


def moved(product: Product, folder: Path) -> Product:
    """*product* as it is where its files lie in *folder*."""

    def there(contract: Contract) -> Contract:
        return replace(contract, path=folder / "contracts" / contract.path.name)

    contracts: Mapping[str, Contract] = {each.id: there(each) for each in product.contracts}
    outputs = tuple(
        replace(each, contract=contracts[each.contract.id], sql_path=folder / each.sql_path.name)
        for each in product.outputs
    )
    return replace(product, folder=folder, contracts=tuple(contracts.values()), outputs=outputs)
