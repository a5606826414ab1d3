"""What whoever erases may do: read what may be personal, tombstone what systems wrote, clean.

Not here: doing it (`mesh.erasure`).
"""

from __future__ import annotations

from collections.abc import Iterator

from mesh.backbone.admin import Operation, Right
from mesh.contract.audit import ERASER, ERASURES_TOPIC
from mesh.contract.project import Project
from mesh.control.principals import reading, transacting, writing
from mesh.erasure.places import places_of, rolling_id

__all__ = ["erasing_rights"]


def erasing_rights(project: Project) -> Iterator[Right]:
    """Of the eraser; and of each product, to end the segments of its own topics."""
    yield from reading(ERASER, ERASURES_TOPIC)
    yield from writing(ERASER, ERASURES_TOPIC)
    writers = {ERASER}
    configs: tuple[Operation, ...] = ("DESCRIBE_CONFIGS", "ALTER_CONFIGS")
    for place in places_of(project):
        writers.add(place.writer)
        yield from reading(ERASER, place.topic)
        for operation in configs:
            yield Right(principal=ERASER, operation=operation, kind="topic", name=place.topic)
        if place.kind == "staging":
            yield from writing(ERASER, place.topic)
        if place.kind == "retry":
            yield Right(principal=ERASER, operation="DELETE", kind="topic", name=place.topic)
    for each in writers:
        yield from transacting(each, rolling_id(each))
