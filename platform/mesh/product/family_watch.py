"""Looks out for new members of a product's families while it runs.

A relation port joins once its files are whole and the broker lets this product read it. Nothing
else of a project's files is taken over by a running product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.project import load_project
from mesh.errors import MeshError, Unreachable
from mesh.product.plan import Input, Plan, inputs_of
from mesh.product.topics import topic_ids

__all__ = ["FamilyWatch"]

LOOK_S = 2.0
Log = Callable[[str], None]


class FamilyWatch:
    """Finds the members of *plan*'s families below *root* that may be read."""

    def __init__(
        self, root: Path, endpoint: Endpoint, principal: Principal, log: Log = lambda _: None
    ) -> None:
        self._root, self._endpoint, self._principal, self._log = root, endpoint, principal, log
        self._next_look = 0.0
        self._seen: object = None
        self._waiting: tuple[Input, ...] = ()
        self._said = ""

    def first(self, plan: Plan) -> Plan:
        """*plan* without the members that may not be read yet."""
        if not plan.families:
            return plan
        # Where nobody answers, nobody has said no: the runtime waits for Kafka.
        kept = [
            each
            for each in plan.inputs
            if each.member is None or isinstance(self._why_not(each), Unreachable | None)
        ]
        return replace(plan, inputs=tuple(kept))

    def grown(self, plan: Plan) -> Plan | None:
        """*plan* with the members that are new, if it is time to look and there are any."""
        now = time.monotonic()
        if not plan.families or now < self._next_look:
            return None
        self._next_look = now + LOOK_S
        found = [each for each in self._candidates(plan) if self._why_not(each) is None]
        if not found:
            return None
        for each in found:
            self._log(f"{each.contract.topic} joins {each.name}")
        return replace(plan, inputs=(*plan.inputs, *found))

    def _candidates(self, plan: Plan) -> list[Input]:
        """The members that the files name and *plan* does not have."""
        seen = sorted(prints(self._root))
        if seen != self._seen:
            self._seen, self._waiting = seen, ()
            try:
                project = load_project(self._root)
                product = project.product(plan.product.id)
            except MeshError as error:
                # Somebody is at work on the files: what they are in the end counts.
                self._say(f"no new members while the products have faults: {error}")
                return []
            ports = [port for port in product.inputs if port.family]
            self._waiting = tuple(e for p in ports for e in inputs_of(project, product, p))
        known = {each.contract.topic for each in plan.inputs}
        return [each for each in self._waiting if each.contract.topic not in known]

    def _why_not(self, source: Input) -> MeshError | None:
        """Why the broker does not let this product read a member, or None if it does."""
        topic = source.contract.topic
        try:
            topic_ids(self._endpoint, self._principal, [topic])
        except MeshError as error:
            self._say(f"{topic} does not join {source.name} yet: {error}")
            return error
        return None

    def _say(self, text: str) -> None:
        """Say it once."""
        first = text.splitlines()[0]
        if first != self._said:
            self._log(first)
        self._said = first


def prints(root: Path) -> Iterator[tuple[str, int, int]]:
    """The files that say what products and contracts there are, with what tells a change."""
    for pattern in ("*/product.yaml", "*/contracts/*.y*ml", "*/*.sql"):
        for path in (root / "products").glob(pattern):
            try:
                found = path.stat()
            except OSError:
                continue  # gone between two looks
            yield str(path), found.st_mtime_ns, found.st_size
