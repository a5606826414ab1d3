"""Looks out for the members of a product's families while it runs.

A relation port joins once its product's files are whole, or a catalogue has accepted it, and the
broker lets this product read it. One that came by the catalogue leaves with its product. Nothing
else of files or descriptors is taken over by a running product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.model import Product
from mesh.contract.project import Project, load_project
from mesh.errors import MeshError, Refused, Unreachable
from mesh.product.plan import Input, Plan, inputs_of
from mesh.product.topics import topic_ids

__all__ = ["Accepted", "FamilyWatch"]

LOOK_S = 2.0
Log = Callable[[str], None]
# The products that a catalogue has accepted, by id; raises `Unreachable` until all are known.
Accepted = Callable[[], Mapping[str, Product]]


class FamilyWatch:
    """Finds the members of a plan's families that *principal* may read.

    In the files of *project*, and among what a catalogue has *accepted*, where there is one.
    """

    def __init__(
        self,
        project: Project,
        endpoint: Endpoint,
        principal: Principal,
        *,
        log: Log = lambda _: None,
        accepted: Accepted = dict,
    ) -> None:
        self._project, self._accepted, self._log = project, accepted, log
        self._endpoint, self._principal = endpoint, principal
        self._next_look = 0.0
        self._prints: object = None
        self._settled: Plan | None = None
        self._doubt: Refused | None = None
        self._said = ""

    def changed(self, plan: Plan) -> Plan | None:
        """*plan* with the members that there are, if it is time to look and they are others.

        A plan that is new here is looked at at once, before anything is read by it: what a
        member has said would else be missing where a storage is made anew. Raises `Unreachable`
        while that cannot be told.
        """
        now, is_new = time.monotonic(), plan is not self._settled
        if now < self._next_look and not is_new:
            return None
        self._next_look = now + LOOK_S
        wanted = {each.contract.topic: each for each in self._members(plan)}
        kept = [each for each in plan.inputs if self._stays(each, wanted, is_new=is_new)]
        known = {each.contract.topic for each in plan.inputs}
        fresh = [each for topic, each in wanted.items() if topic not in known]
        fresh = [each for each in fresh if self._may_read(each, is_needed=is_new)]
        for each in fresh:
            self._log(f"{each.contract.topic} joins {each.name}")
        if not fresh and len(kept) == len(plan.inputs):
            if self._doubt is not None:
                raise self._doubt
            self._settled = plan
            return None
        self._doubt = None
        self._settled = replace(plan, inputs=(*kept, *fresh))
        return self._settled

    def doubts(self, error: Refused) -> bool:
        """Whether to look at all members anew, since one may be refused now.

        No longer if that was of no use: *error* is about something else.
        """
        # Given up or waited out, the next error is a doubt of its own.
        self._doubt, self._settled = (error if self._doubt is None else None), None
        return self._doubt is not None

    def _members(self, plan: Plan) -> list[Input]:
        """The members that files and catalogue name."""
        self._read_files()
        files, accepted = self._project, self._accepted()
        whole = replace(files, products={**accepted, **files.products})
        product = files.products.get(plan.product.id, plan.product)
        ports = [port for port in product.inputs if port.family]
        return [each for port in ports for each in inputs_of(whole, product, port)]

    def _stays(self, source: Input, wanted: Mapping[str, Input], *, is_new: bool) -> bool:
        """Whether an input of a plan stays one."""
        if source.member is None:
            return True
        contract = source.contract
        if contract.topic not in wanted and contract.product not in self._project.products:
            self._log(f"{contract.topic} leaves {source.name}: its product states it no longer")
            return False
        return not is_new or self._may_read(source, is_needed=True)

    def _read_files(self) -> None:
        """Read the project anew where its files are others than before, and whole."""
        prints = sorted(prints_of(self._project.root))
        if prints == self._prints:
            return
        self._prints = prints
        try:
            self._project = load_project(self._project.root)
        except MeshError as error:
            # Somebody is at work on the files: what they are in the end counts.
            self._say(f"no new members by files while the products have faults: {error}")

    def _may_read(self, source: Input, *, is_needed: bool) -> bool:
        """Whether the broker lets this product read a member.

        Raises `Unreachable` where nobody answers, if the answer *is_needed*.
        """
        topic = source.contract.topic
        try:
            topic_ids(self._endpoint, self._principal, [topic])
        except MeshError as error:
            if is_needed and isinstance(error, Unreachable):
                raise
            self._say(f"{topic} is not read by {source.name} yet: {error}")
            return False
        return True

    def _say(self, text: str) -> None:
        """Say it once."""
        first = text.splitlines()[0]
        if first != self._said:
            self._log(first)
        self._said = first


def prints_of(root: Path) -> Iterator[tuple[str, int, int]]:
    """The files that say what products and contracts there are, with what tells a change."""
    for pattern in ("*/product.yaml", "*/contracts/*.y*ml", "*/*.sql"):
        for path in (root / "products").glob(pattern):
            try:
                found = path.stat()
            except OSError:
                continue  # gone between two looks
            yield str(path), found.st_mtime_ns, found.st_size
