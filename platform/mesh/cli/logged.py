"""Inputs of a run as the change audit log has them at its offsets, and what was erased since.

The log opens no entry that was erased, so what a run had seen and nobody may see any more is
missing in the rows, and its place is named. Not here: what a run makes of them (`reproduce`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesh.cli.app import App
from mesh.cli.audit_ask import all_logs
from mesh.cli.doors import TIMEOUT_S, content
from mesh.cli.read import get_token
from mesh.contract.audit import AUDIT_SERVICE
from mesh.errors import MeshError

if TYPE_CHECKING:
    from mesh.product.batch import Taken

__all__ = ["Logged"]


class Logged:
    """The inputs of a run of *product*, whose record names *places*; *say* tells how far it is."""

    def __init__(
        self,
        app: App,
        product: str,
        places: Sequence[Mapping[str, Any]],
        say: Callable[[str], None],
    ) -> None:
        self.erased: dict[str, list[str]] = {}
        self.say = say
        self._app, self._product = app, product
        self._places = {str(each["port"]): each for each in places}
        self._token = get_token(app, product, AUDIT_SERVICE)

    def take(self, port: str) -> Taken:
        """The rows of an input port, as they were. Raises `MeshError` where nobody knows that."""
        import pyarrow as pa

        from mesh.product.batch import Taken

        place, project = self._places[port], self._app.project
        (found,) = [each for each in project.product(self._product).inputs if each.name == port]
        contract = project.input_contract(found)
        logs = self._logs(place)
        at = ",".join(f"{each}:{offset}" for each, offset in place["offsets"].items())
        url = f"{self._app.address(AUDIT_SERVICE)}/state/{contract.id}"
        rows = pa.ipc.open_stream(content(url, self._token, {"at": at, "format": "arrow"}))
        self.erased[port] = [
            f"[{log['partition']}] offset {offset}, by the request {request}"
            for log in logs
            for offset, request in self._erased(log, place["offsets"][str(log["partition"])])
        ]
        return Taken(
            rows=rows.read_all().replace_schema_metadata(None),
            place={name: place[name] for name in ("topic", "topic_id", "offsets")},
        )

    def _logs(self, place: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The logs of a topic, which must have all that the run had seen."""
        found = [
            each
            for each in all_logs(self._app)
            if (each["topic"], each["topic_id"]) == (place["topic"], place["topic_id"])
        ]
        for each in found:
            if each["missed"]:
                raise MeshError(f"the change audit log could not see all of {place['topic']}")
        missing = place["offsets"].keys() - {str(each["partition"]) for each in found}
        if any(place["offsets"][each] for each in missing):
            raise MeshError(f"{place['topic']} was made anew since, and its log is another one")
        return found

    def _erased(self, log: Mapping[str, Any], end: int) -> Iterator[tuple[int, str]]:
        """Each entry before the offset *end* that was erased: its offset, and by which request."""
        import httpx
        import numpy as np

        from mesh.audit.entry import ENTRY
        from mesh.audit.served import Served
        from mesh.audit.tiles import WIDTH, Tile
        from mesh.backbone.direct import direct

        address = self._app.address(AUDIT_SERVICE)
        with httpx.Client(base_url=address, timeout=TIMEOUT_S, **direct(address)) as client:
            served = Served(client, lambda: self._token)
            for index in range(-(-log["entries"] // WIDTH)):
                width = min(WIDTH, log["entries"] - index * WIDTH)
                tile = Tile(level=0, index=index, width=width)
                marks = served.opened(log["path"], tile).erased
                if marks:
                    entries = np.frombuffer(served.entries(log["path"], tile), ENTRY)
                    for at, request in sorted(marks.items()):
                        offset = int(entries["offset"][at - tile.begin])
                        if offset < end:
                            yield offset, request
