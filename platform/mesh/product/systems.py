"""Operational systems outside the mesh, found by entry point: what `mesh feed` can start.

`mesh` knows no company. Whoever has one registers an object with `.systems`, a mapping of
product id to `System`, in the entry point group `mesh.company`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol

from mesh.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["GROUP", "System", "companies", "find_systems", "the_one"]

GROUP = "mesh.company"


class System(Protocol):
    """An operational system: it writes the staging topics of one product, as its own principal."""

    @property
    def principal(self) -> str:
        """The name by which broker and contract know the system."""

    @property
    def usual_count(self) -> int:
        """How many records are sent where nobody says how many."""

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 20_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield *count* records from number *start* on, in the order in which they are written.

        A batch has the records of each input port that has any, with its staging contract's
        fields. Record number i of a seed is the same whatever *count*, *start* and *batch_rows*.
        Of a system that drops files, a batch is a part of one, by its name without the ending.
        """


def find_systems() -> Mapping[str, System]:
    """Return the systems of the installed companies, by the id of the product that each feeds.

    Raises `SettingsError` if none is installed, one cannot be loaded, or two feed the same product.
    """
    found: dict[str, System] = {}
    for company in companies():
        systems: Mapping[str, System] = company.systems
        for product, system in systems.items():
            if product in found:
                raise SettingsError(
                    f"two companies feed {product}: uninstall one of those that register under the"
                    f" entry point group {GROUP}"
                )
            found[product] = system
    return found


def the_one(attribute: str, called: str) -> Any:
    """What one company alone has as *attribute*, for messages *called* so.

    Raises `SettingsError` if there is not just one.
    """
    every = (getattr(each, attribute, None) for each in companies())
    found = [each for each in every if each is not None]
    if len(found) != 1:
        raise SettingsError(
            f"there are {len(found)} {called}: install one company with `{attribute}`"
            f" under the entry point group {GROUP}"
        )
    return found[0]


def companies() -> Sequence[Any]:
    """What the installed companies have registered. Raises `SettingsError`."""
    found = [_load(entry) for entry in entry_points(group=GROUP)]
    if not found:
        raise SettingsError(
            f"no company is installed: run `pip install -e .` in the project, or install a package"
            f" with an entry point in the group {GROUP}"
        )
    return found


def _load(entry: EntryPoint) -> Any:
    # Whatever importing foreign code raises, the person at the command line must learn whose it is.
    try:
        company = entry.load()
        company.systems  # noqa: B018 - a property may do the work
    except Exception as error:
        raise SettingsError(
            f"the company {entry.value} cannot be loaded, mend or uninstall it: {error}"
        ) from error
    return company
