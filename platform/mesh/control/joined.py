"""Who joined by a name alone: principals of products that no file of the project describes.

`principals/NAME/domain` beside the secret says of which domain one is. All else follows from the
descriptor that the catalogue accepts. Also the rights and topics that descriptors need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mesh.backbone.admin import Right
from mesh.backbone.topics import Topic
from mesh.contract.catalogue import (
    CATALOGUE,
    EVIDENCE_TOPIC,
    OWN_TOPICS,
    PRODUCTS_TOPIC,
    VERDICTS_TOPIC,
    descriptor_topic,
)
from mesh.contract.names import is_kebab
from mesh.contract.project import Project
from mesh.control.principals import REGISTRAR, principals_of, reading, writing
from mesh.errors import WrongUse
from mesh.home import Home, write_private

__all__ = [
    "add_principal",
    "catalogue_rights",
    "catalogue_topics",
    "describers",
    "joined_principals",
]

FILE = "domain"
EVIDENCE_MS = 8 * 24 * 60 * 60 * 1000
# Accepted descriptors and verdicts are many pages of text, and few.
STAMPED = {"message.timestamp.type": "LogAppendTime"}


def joined_principals(home: Home) -> Mapping[str, str]:
    """The domain of each principal that joined, by its name."""
    found = {}
    for path in sorted((home.path / "principals").glob(f"*/{FILE}")):
        name, domain = path.parent.name, path.read_text().strip()
        if is_kebab(name) and is_kebab(domain):
            found[name] = domain
    return found


def add_principal(project: Project, home: Home, name: str, domain: str) -> bool:
    """Make *name* a principal of *domain*, with a secret; whether it is new.

    Raises `WrongUse` where the name is none, or somebody else's.
    """
    for word, text in (("name", name), ("domain", domain)):
        if not is_kebab(text):
            raise WrongUse(
                f"the {word} {text[:80]!r} is not in kebab-case: write it as call-center"
            )
    if domain == "mesh":
        raise WrongUse("the domain mesh is the platform's own: name that of the product")
    if name in principals_of(project):
        raise WrongUse(f"{name} is a principal of the project already: choose another name")
    known = joined_principals(home).get(name)
    if known not in (None, domain):
        raise WrongUse(f"{name} is a principal of the domain {known} already: choose another name")
    home.make_secret(name)
    write_private(home.secret_path(name).with_name(FILE), f"{domain}\n")
    return known is None


def describers(project: Project, joined: Mapping[str, str]) -> Mapping[str, str]:
    """The domain of every product that may describe itself, by its id."""
    return {**joined, **{each.id: each.domain for each in project.products.values()}}


def catalogue_topics(described: Mapping[str, str]) -> Iterator[Topic]:
    """The catalogue's own topics, and the descriptor topic of each product."""
    for name in OWN_TOPICS:
        kept = {"cleanup.policy": "compact"}
        if name == EVIDENCE_TOPIC:
            kept = {"cleanup.policy": "delete", "retention.ms": str(EVIDENCE_MS)}
        yield Topic(name=name, partitions=1, config={**kept, **STAMPED})
    for product, domain in described.items():
        yield Topic(
            name=descriptor_topic(domain, product),
            partitions=1,
            config={"cleanup.policy": "compact"},
        )


def catalogue_rights(described: Mapping[str, str], people: Iterable[str]) -> Iterator[Right]:
    """Products write their own descriptors, the catalogue reads them and writes what it accepts.

    What it accepted and what it found is for everybody.
    """
    for name in OWN_TOPICS:
        yield from writing(CATALOGUE, name)
        yield from reading(CATALOGUE, name)
    # Who makes what an accepted descriptor asks for.
    yield from reading(REGISTRAR, PRODUCTS_TOPIC)
    for product, domain in described.items():
        topic = descriptor_topic(domain, product)
        yield from writing(product, topic)
        yield from reading(product, topic)
        yield from reading(CATALOGUE, topic)
    for principal in (*described, *people):
        yield from reading(principal, PRODUCTS_TOPIC)
        yield from reading(principal, VERDICTS_TOPIC)
