"""From a query to a product: the folder of a state port whose rows are what a named query says.

Made and checked as by `mesh new`, and there only when all of it holds. Not here: names in the
text (`query_sql`), what the fields are (`query_fields`), the cases (`query_cases`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mesh.contract.model import Contract
from mesh.contract.names import is_kebab, listed, nearest, to_snake
from mesh.contract.odps import load_product
from mesh.contract.people import Person
from mesh.contract.project import Project
from mesh.errors import InvalidFile, WrongUse
from mesh.product.dump import owner_in
from mesh.product.event_lint import cte_names
from mesh.product.new import Created, Wish, placed, refuse, sources_of
from mesh.product.new_files import contract_document, contract_text, write_files
from mesh.product.new_readme import readme
from mesh.product.new_shape import New, Shape, Source
from mesh.product.plan import plan_product
from mesh.query.files import NamedQuery
from mesh.sql.shelf import name_of
from mesh.wiring.query_cases import cases_yaml
from mesh.wiring.query_fields import Fields, fields_of, key_of
from mesh.wiring.query_sql import Texts, texts_of
from mesh.wiring.query_text import ports_in, tree_of
from mesh.wiring.query_values import fixed

__all__ = ["Wanted", "publish"]

COMMAND = "mesh query publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: the *product*, and what of it is not as the query has it.

    *values* are those of the query's parameters, which the product has for good.
    """

    product: str
    values: Mapping[str, object] = field(default_factory=dict)
    key: str | None = None
    port: str | None = None
    domain: str | None = None
    owner: str | None = None


def publish(root: Path, project: Project, query: NamedQuery, wanted: Wanted) -> Created:
    """Make the folder of a product of *query* below *root*.

    Raises `WrongUse` for what cannot be made, and leaves nothing behind then.
    """
    query = fixed(query, wanted.values)
    person = owner_of(project, wanted.owner or query.owner)
    port = wanted.port or wanted.product
    if not is_kebab(port):
        raise WrongUse(f"{port!r} is no name of a port: use kebab-case, as in calls-per-day")
    wish = Wish(
        name=wanted.product,
        domain=wanted.domain or person.domain,
        ports=ports_of(project, query),
        owner=address_of(project, person),
        purpose=query.description,
    )
    refuse(root, project, wish)
    taken = {to_snake(port), *cte_names(tree_of(query.sql))}
    sources = tuple(sources_of(wish, taken))
    if free := {each.table for each in sources} & taken:
        raise WrongUse(f"{query.name} calls a part of it {min(free)}: call it otherwise")
    key = key_of(query, wanted.key)
    texts = texts_of(query, sources, key)
    fields = fields_of(query, key, texts.sql, sources, project.identifiers)
    new = new_of(query, wish, port, sources, fields)
    made = Making(
        project=project, query=query, new=new, texts=texts, fields=fields, values=wanted.values
    )
    notes = (*made.notes(), *people_notes(person, wish.name))
    return placed(root, project, new, made.write, notes)


def ports_of(project: Project, query: NamedQuery) -> tuple[Contract, ...]:
    """The ports that a query reads, which are all of them known."""
    every = [port.contract for each in project.products.values() for port in each.outputs]
    try:
        return ports_in(query.sql, {name_of(each): each for each in every})
    except WrongUse as error:
        raise WrongUse(f"{query.name} is no product: {error}") from error


def owner_of(project: Project, name: str) -> Person:
    """Who is to own the product. Raises `WrongUse` where nobody is called so."""
    if name in project.people:
        return project.people[name]
    near = nearest(name, project.people)
    hint = f"did you mean {near}?" if near else f"there are {listed(project.people)}"
    raise WrongUse(f"there is no person {name}: {hint}")


def address_of(project: Project, person: Person) -> str:
    """Where a person is reached: as the owner of another product, else at the domain's host."""
    owned = [project.products[each].owner for each in person.owns if each in project.products]
    host = owner_in(project, person.domain).partition("@")[2]
    return owned[0] if owned else f"{person.name}@{host}"


def people_notes(person: Person, product: str) -> Iterator[str]:
    """What makes the owner one who decides."""
    yield (
        f"{person.name} decides who reads it once `owns:` in company/people.yaml has {product}:"
        " until then nobody does"
    )


def new_of(
    query: NamedQuery, wish: Wish, port: str, sources: tuple[Source, ...], fields: Fields
) -> New:
    """What the product is called and has."""
    columns = tuple(each.column for each in fields.made)
    keys = sorted(
        (each.origin for each in columns if each.origin.key_position), key=lambda f: f.key_position
    )
    return New(
        id=wish.name,
        port=port,
        domain=wish.domain,
        owner=wish.owner or "",
        purpose=query.description,
        grain=f"One row per {' and '.join(each.name for each in keys)} of the query {query.name}.",
        shape=Shape(kind="state", sources=sources, columns=columns),
        made_by=COMMAND,
        made_of=f"the result of the query {query.name} {query.version}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """All that the files are made of."""

    project: Project
    query: NamedQuery
    new: New
    texts: Texts
    fields: Fields
    values: Mapping[str, object]

    def write(self, folder: Path) -> None:
        """Write all files into *folder*. Raises `WrongUse` where they do not hold."""
        new = self.new
        try:
            write_files(folder, new, self._contract(), self._files())
            product = load_product(folder)
            whole = replace(self.project, products={**self.project.products, product.id: product})
            (output,) = plan_product(whole, product.id).states
        except InvalidFile as error:
            problems = "; ".join(f"{each.problem} ({each.remedy})" for each in error.faults)
            raise WrongUse(f"{self.query.name} is no product: {problems}") from error
        cases = cases_yaml(output, new.shape.sources, self.project.identifiers)
        (folder / f"{new.name}.test.yaml").write_text(cases, encoding="utf-8")

    def notes(self) -> Iterator[str]:
        """What the owner should know of how it was made."""
        query, columns = self.query, self.new.shape.columns
        yield self.new.grain[0].lower() + self.new.grain[1:-1]
        key = {each.name for each in columns if each.origin.key_position}
        first = key_of(query, None)
        if not key >= {*first}:
            per = listed(first)
            yield f"the query promises one row per {per}: rows that share a key are refused"
        for name, value in self.values.items():
            yield f"{name} is {value} from now on, in {self.new.name}.sql"
        yield from self.fields.notes()
        yield from self.texts.notes
        for each in self.new.shape.sources:
            if each.contract.retention_ms is not None:
                yield f"what {each.contract.id} drops by its age stays in the product"

    def _contract(self) -> str:
        """The contract: the query's result, fixed from now on."""
        document = contract_document(self.new)
        schema = document["schema"]
        assert isinstance(schema, list)  # noqa: S101 - it was made just now
        schema[0]["properties"] = [dict(each.document) for each in self.fields.made]
        questions = [
            "What are the rows for? (`purpose`, here and in product.yaml)",
            *self.fields.questions(),
            "Who may read it: anybody who asks (`access: auto`), or by the owner's word?",
        ]
        return contract_text(self.new, document, questions)

    def _files(self) -> Mapping[str, str]:
        """The SQL, what stands beside it, and the README."""
        new, query, name = self.new, self.query, self.new.name
        head = (
            f"-- {new.grain}\n-- Made of its version {query.version}; from now on this is edited.\n"
        )
        hints = [
            f"`{name}.sql` is the query as it was; an edit of either changes nothing in the other.",
            f"`{name}.test.yaml` has made-up rows, and what the query says of them. Check that it"
            " is what you mean.",
        ]
        if "keys" in self.texts.beside:
            hints.append(f"`{name}.keys.sql` names every input by which a row can change.")
        return {
            f"{name}.sql": f"{head}{self.texts.sql}\n",
            **{f"{name}.{end}.sql": f"{text}\n" for end, text in self.texts.beside.items()},
            "README.md": readme(new, hints),
        }
