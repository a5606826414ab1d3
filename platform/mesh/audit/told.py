"""Every row of a port, as its product's door gives it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa

from mesh.backbone.direct import direct
from mesh.contract.model import Contract
from mesh.errors import MeshError, Refused, Unreachable

__all__ = ["Port"]

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port whose rows *url* gives to whoever has a token of *token*.

    Its messages' schemas *schema_of* knows by id.
    """

    contract: Contract
    schema_of: Callable[[int], Mapping[str, object] | None]
    url: str
    token: Callable[[], str]

    def rows(self, folder: Path) -> Iterator[pa.Table]:
        """All of them, by way of a file in *folder*. Raises `Refused`, `Unreachable`."""
        path = folder / "told.arrow"
        headers = {"Authorization": f"Bearer {self.token()}"}
        asked = {"limit": "all", "format": "arrow"}
        try:
            options = direct(self.url)
            with httpx.stream(
                "GET", self.url, headers=headers, params=asked, timeout=TIMEOUT_S, **options
            ) as response:
                if not response.is_success:
                    words = f"{self.url} answered {response.status_code}: {response.read()[:200]!r}"
                    raise (Refused if response.status_code in (401, 403) else MeshError)(words)
                with path.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)
        except httpx.HTTPError as error:
            raise Unreachable(f"nobody answers at {self.url} ({error}): is it running?") from error
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
