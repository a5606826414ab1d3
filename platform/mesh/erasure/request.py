"""What is kept of an erasure while it is under way, so that it can be gone on with.

A file of mode 600 in the state folder, which says whom it is about, and is removed at the end.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesh.contract.whose import Whose
from mesh.errors import StorageError, WrongUse
from mesh.home import Home, write_private

__all__ = ["Request"]

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(slots=True, kw_only=True)
class Request:
    """An erasure: *whose* messages, and their keys by topic.

    *settings* are those that topics had before they were lowered for it.
    """

    path: Path
    id: str
    whose: Whose
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    settings: dict[str, Mapping[str, str | None]] = field(default_factory=dict)

    @classmethod
    def find(cls, home: Home, id_: str) -> Request | None:
        """The erasure that was begun under this id and has not ended.

        Raises `WrongUse` for an id that is none, `StorageError` where the file is damaged.
        """
        path = path_of(home, id_)
        try:
            document = json.loads(path.read_text())
            keys = {
                topic: {base64.b64decode(key) for key in its}
                for topic, its in document["keys"].items()
            }
            return cls(
                path=path,
                id=id_,
                whose=Whose.of(document["whose"]),
                keys=keys,
                settings=dict(document["settings"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(
                f"{path} cannot be read ({error}): remove it, and ask anew"
            ) from error

    @classmethod
    def begin(cls, home: Home, id_: str, whose: Whose) -> Request:
        """A new erasure; it is kept once `save` is called."""
        return cls(path=path_of(home, id_), id=id_, whose=whose)

    def save(self) -> None:
        """Keep it."""
        document = {
            "whose": self.whose.document(),
            "keys": {
                topic: [base64.b64encode(key).decode() for key in sorted(its)]
                for topic, its in self.keys.items()
            },
            "settings": self.settings,
        }
        write_private(self.path, json.dumps(document))

    def end(self) -> None:
        """Forget whom it was about."""
        self.path.unlink(missing_ok=True)


def path_of(home: Home, id_: str) -> Path:
    """Where an erasure is kept. Raises `WrongUse` for an id that is none."""
    if not ID.fullmatch(id_):
        raise WrongUse(
            f"{id_[:80]!r} is no id of a request: up to 64 letters, digits, dots, dashes; and "
            "nothing that says who it is about, since it is published"
        )
    return home.folder("erasures") / f"{id_}.json"
