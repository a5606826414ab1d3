"""`mesh new`: a product that reads other products' ports, as a folder that runs at once.

All of it is made and checked in a folder beside the products, and moved there when it holds.
Not here: the command line, what the port has (`new_shaping`), the files (`new_files`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mesh.contract.masking import mask_of
from mesh.contract.model import Contract, Product
from mesh.contract.names import is_email, is_kebab, to_snake
from mesh.contract.odps import load_product
from mesh.contract.policies import POLICIES, check_product
from mesh.contract.project import Project
from mesh.errors import InvalidFile, MeshError, SettingsError, WrongUse
from mesh.product.cases import run_cases
from mesh.product.dump import owner_in
from mesh.product.new_files import grain_of, write_new
from mesh.product.new_shape import New, Shape, Source
from mesh.product.new_shaping import shape_of
from mesh.product.plan import plan_product

__all__ = ["Created", "Wish", "create", "placed", "refuse", "sources_of"]

PURPOSE = "To be said by the owner; until then, find out whether the rows are of use."
GOING = ("deprecated", "retired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for: a name, and the ports to read; *by* is an identifier of theirs."""

    name: str
    domain: str
    ports: tuple[Contract, ...]
    kind: Literal["event", "state"] = "state"
    by: str | None = None
    owner: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What came of it. *warnings* are what the domain's own policies say against it."""

    product: Product
    shape: Shape
    files: tuple[str, ...]
    cases: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def create(root: Path, project: Project, wish: Wish) -> Created:
    """Make the folder of a new product below *root*.

    Raises `WrongUse` for what cannot be made, and leaves nothing behind then.
    """
    refuse(root, project, wish)
    shape = shape_of(sources_of(wish), wish.kind, wish.by, project)
    new = New(
        id=wish.name,
        port=wish.name,
        domain=wish.domain,
        owner=wish.owner or owner_in(project, wish.domain),
        purpose=wish.purpose or PURPOSE,
        grain=grain_of(shape),
        shape=shape,
    )
    return placed(
        root,
        project,
        new,
        lambda folder: write_new(folder, new, project.identifiers),
        notes_on(project, shape),
    )


def placed(
    root: Path, project: Project, new: New, write: Callable[[Path], None], notes: Iterable[str]
) -> Created:
    """Have *write* make the folder of *new*, which is there once all of it holds."""
    target = root / "products" / to_snake(new.id)
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as holder:
            made = Path(holder) / target.name
            made.mkdir()
            write(made)
            product, cases, warnings = checked(made, project)
            files = sorted(str(each.relative_to(made)) for each in made.rglob("*.*"))
            # A folder that has something in it by now is not replaced.
            made.rename(target)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error.strerror}") from error
    return Created(
        product=replace(product, folder=target),
        shape=new.shape,
        files=tuple(files),
        cases=cases,
        notes=tuple(notes),
        warnings=warnings,
    )


def refuse(root: Path, project: Project, wish: Wish) -> None:
    """Raise `WrongUse` for a name that is none, or taken, and for ports that cannot be read."""
    for what, name in (("domain", wish.domain), ("product", wish.name)):
        if not is_kebab(name):
            raise WrongUse(f"{name!r} is no name of a {what}: use kebab-case, as in churn-signals")
    if wish.owner is not None and not is_email(wish.owner):
        raise WrongUse(f"{wish.owner!r} is no e-mail address")
    if wish.purpose is not None and not (wish.purpose.strip() and wish.purpose.isprintable()):
        raise WrongUse("say the purpose in one line of text")
    taken = {*project.products, *project.people, *project.systems}
    if wish.name in taken or (root / "products" / to_snake(wish.name)).exists():
        raise WrongUse(f"{wish.name} is there already: choose another name")
    if wish.by is not None and wish.by not in project.identifiers:
        known = ", ".join(sorted(project.identifiers))
        raise WrongUse(f"{wish.by} is not on the company's list of identifiers: {known}")
    if len({each.id for each in wish.ports}) < len(wish.ports):
        raise WrongUse("one port is named twice: name each once")
    for contract in wish.ports:
        status = str(project.products[contract.product].document.get("status"))
        going = next((each for each in (contract.status, status) if each in GOING), None)
        if going is not None:
            raise WrongUse(f"{contract.id} is {going}: read what has come in its place")
        if not contract.is_streamed:
            raise WrongUse(f"{contract.id} is a batch port, which no product reads as a stream")


def sources_of(wish: Wish, taken: Set[str] = frozenset()) -> list[Source]:
    """The inputs by the names that the product has for them: the port's, where that is free.

    What is *taken* is so in SQL.
    """
    called = [each.port.replace(".", "-") for each in wish.ports]
    return [
        Source(
            name=name
            if called.count(name) == 1 and name != wish.name and to_snake(name) not in taken
            else f"{contract.product}-{name}",
            contract=contract,
        )
        for name, contract in zip(called, wish.ports, strict=True)
    ]


def checked(folder: Path, project: Project) -> tuple[Product, int, tuple[str, ...]]:
    """The product in *folder*, how many cases hold, and what policies find.

    Raises `WrongUse` where a policy of the mesh refuses it, `MeshError` where it does not hold.
    """
    try:
        product = load_product(folder)
        whole = replace(project, products={**project.products, product.id: product})
        outcomes = run_cases(plan_product(whole, product.id))
    except InvalidFile as error:
        raise MeshError(f"what was made is not valid, a fault of the mesh: {error}") from error
    failed = [f"{each.case}: {each.difference}" for each in outcomes if not each.is_ok]
    if failed or not outcomes:
        raise MeshError(f"what was made does not hold, a fault of the mesh: {'; '.join(failed)}")
    errors = [each.fault for each in check_product(product, whole) if each.level == "error"]
    ours = {each.rule for each in POLICIES}
    for each in errors:
        if each.rule in ours:
            raise WrongUse(f"no product may be made so: {each.problem} ({each.remedy})")
    said = tuple(f"{each.problem} ({each.remedy}) [{each.rule}]" for each in errors)
    return product, len(outcomes), said


def notes_on(project: Project, shape: Shape) -> Iterator[str]:
    """What its owner should know of how it was made."""
    if shape.identifier is not None:
        others = f"; --by may also be {' or '.join(shape.others)}" if shape.others else ""
        yield f"one row per {shape.identifier}{others}"
        if shape.sources[0].contract.key_fields == (shape.sources[0].by,) and not shape.spine:
            yield f"it is the key of {shape.sources[0].name}: --kind event would carry its fields"
    for each in shape.columns:
        if each.origin.is_personal and each.how == "as it is":
            yield f"{each.name} is personal: it is carried, and marked so"
    if shape.left_out:
        names = ", ".join(f"{source.name}.{field.name}" for source, field in shape.left_out)
        yield f"left out, since they are personal or masked: {names}"
    for source in shape.sources:
        same = [
            each.name
            for each in source.contract.fields
            if source.by and each.identifier == shape.identifier and each != source.by
        ]
        if source.by is not None and same:
            yield f"of {source.name}, {source.by.name} is meant, not {' or '.join(same)}"
        yield from enough_masked(project, shape, source)


def enough_masked(project: Project, shape: Shape, source: Source) -> Iterator[str]:
    """Whether a masked port has all that is read of *source*, and so need not be asked for it."""
    read = [each.origin for each in shape.columns if each.source == source and each.how != "count"]
    read += [source.by] if source.by is not None else []
    masked = [c for c in project.contracts.values() if c.masked_from == source.contract]
    if masked and not any(mask_of(each) for each in read):
        yield f"{masked[0].id} has all that is read of {source.contract.id}: --from it would do"
