"""Every error that the mesh raises, as one tree.

MeshError                   something stopped us; the message says what to do
├── WrongUse                the command line or a call was wrong (exit code 2)
├── SettingsError           a setting or the state folder cannot be used
├── InvalidFile             a file from outside breaks its rules; carries the faults
├── BackboneError           Kafka or the registry
│   ├── Unreachable         nobody answers at the address
│   ├── Refused             the broker, the registry or a door said no to this principal
│   │   └── NotGranted       Kafka does not let it read or write a topic, until its owner does
│   ├── ArtifactError       a jar or archive is missing, damaged or cannot be had
│   ├── TopicDiffers        a topic is not what its contract says
│   └── SchemaIncompatible  the registry refused a schema
├── StorageError            a product's internal storage cannot be used
│   └── NoRoom              its disk is full, which passes
│       ├── NoMemory        it must be opened anew, with more memory
│       └── Rewritten       it is written anew, and opened then
├── Unproven                a proof, a checkpoint or a log does not hold
├── AlreadyRunning          another process holds the lock
├── NotRunning              the mesh is not up
└── DemoFailed              a check of the demo did not hold

Bad *data* is never an exception: it is a `Violation` or a quarantined message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.contract.faults import Fault

__all__ = [
    "AlreadyRunning",
    "ArtifactError",
    "BackboneError",
    "DemoFailed",
    "InvalidFile",
    "MeshError",
    "NoMemory",
    "NoRoom",
    "NotGranted",
    "NotRunning",
    "Refused",
    "Rewritten",
    "SchemaIncompatible",
    "SettingsError",
    "StorageError",
    "TopicDiffers",
    "Unproven",
    "Unreachable",
    "WrongUse",
]


class MeshError(Exception):
    """Something stopped us. The message is one line that says what to do."""

    exit_code = 1


class WrongUse(MeshError):
    """The command line or a call was wrong."""

    exit_code = 2


class SettingsError(MeshError):
    """A setting or the state folder cannot be used."""


class InvalidFile(MeshError):
    """A file from outside breaks its rules.

    *faults* names each place and what to write instead.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class BackboneError(MeshError):
    """Kafka or the registry stopped us."""


class Unreachable(BackboneError):
    """Nobody answers at the address."""


class Refused(BackboneError):
    """The broker, the registry or a door said no to this principal."""


class NotGranted(Refused):
    """Kafka does not let this principal read or write a topic; a grant may change that."""


class ArtifactError(BackboneError):
    """A jar or archive is missing, damaged or cannot be had."""


class TopicDiffers(BackboneError):
    """A topic is not what its contract says."""


class SchemaIncompatible(BackboneError):
    """The registry refused a schema as incompatible with what is registered."""


class StorageError(MeshError):
    """A product's internal storage cannot be used."""


class NoRoom(StorageError):
    """The disk of the internal storage is full; nothing is lost, and with room it goes on."""


class NoMemory(NoRoom):
    """The internal storage needs more memory, and has it once it is opened anew."""


class Rewritten(NoRoom):
    """The internal storage is let go, so that it is written anew before it is opened again."""


class Unproven(MeshError):
    """A proof, a checkpoint or a log does not hold; the message says what is wrong with it."""


class AlreadyRunning(MeshError):
    """Another process holds the lock."""


class NotRunning(MeshError):
    """The mesh is not up."""


class DemoFailed(MeshError):
    """A check of the demo did not hold."""
