"""What a dump may be called: a name that nobody else has.

Not here: the names of its columns (`dump_header`).
"""

from __future__ import annotations

from pathlib import Path

from mesh.contract.names import is_kebab, to_snake
from mesh.contract.project import Project
from mesh.contract.promises import ANOTHER, platform_name
from mesh.errors import WrongUse

__all__ = ["refuse_no_names", "refuse_taken"]


def refuse_no_names(domain: str, product: str) -> None:
    """Raise `WrongUse` where one of the two could be no name."""
    for what, name in (("domain", domain), ("product", product)):
        if not is_kebab(name):
            raise WrongUse(f"{name!r} is no name of a {what}: use kebab-case, as in raw-calls")


def refuse_taken(root: Path, project: Project, domain: str, name: str) -> None:
    """Raise `WrongUse` where a new product cannot have this *name*."""
    if problem := platform_name(domain, name):
        raise WrongUse(f"{problem}: {ANOTHER}")
    taken = {*project.people, *project.systems}
    if name in taken or (root / "products" / to_snake(name)).exists():
        raise WrongUse(f"{name} is the name of something else already: give --name another")
