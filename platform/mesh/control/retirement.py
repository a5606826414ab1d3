"""Removes the topic of a port that is no longer promised, once its last reader has left.

Whoever provisions lets the registrar delete such a topic, and only then (`provision`): so the
broker itself refuses to delete any other. Its subject in the registry stays, so that the name
can never mean something else.
"""

from __future__ import annotations

from mesh.backbone.admin import Admin
from mesh.contract.names import parse_topic
from mesh.contract.project import Project
from mesh.control.provision import rejected_of
from mesh.errors import Refused, WrongUse

__all__ = ["retire_topic"]


def retire_topic(project: Project, registrar: Admin, topic: str) -> list[str]:
    """Delete *topic*, and where rows went that broke its contract; the names of those deleted.

    Raises `Refused` while a contract promises it or somebody may read it, `WrongUse` for what is
    the topic of no port.
    """
    name = parse_topic(topic)
    if name is None:
        raise WrongUse(f"{topic} is not the topic of a port: `mesh up` names those to be retired")
    for contract in project.contracts.values():
        if contract.topic == topic:
            readers = ", ".join(project.readers_of(contract)) or "nobody"
            raise Refused(
                f"{topic} is promised by {contract.id}, which {readers} may read: remove the port "
                "from its product when nobody reads it any more"
            )
    # The registrar sees only what it may delete.
    there = registrar.topic_partitions()
    if topic not in there:
        raise Refused(
            f"the broker lets nobody delete {topic}: it is not there, somebody may read it still, "
            "or the mesh was not provisioned since its port is gone; see the warnings of `mesh up`"
        )
    gone = [each for each in (topic, rejected_of(name)) if each in there]
    for each in gone:
        registrar.remove_topic(each)
    return gone
