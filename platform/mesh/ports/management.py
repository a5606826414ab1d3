"""The four management ports of ODPS: what a product says of itself, and who may pause it.

    discoverability   the descriptor, the contracts, where each port is
    observability     state, rows, lag, freshness, quarantine
    control           pause and resume, for the product's owners and itself; a rewriting of the
                      storage, for whoever erases
    dictionary        fields, meanings, samples

All but control is open to whoever reaches the door; no sample shows a personal field.
Not here: HTTP (`app`), figures for Prometheus (handed in), the rows (`door`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from mesh.contract.audit import ERASER
from mesh.contract.identifiers import Identifier
from mesh.contract.model import OutputPort, Product
from mesh.errors import Refused
from mesh.ports.dictionary import describe_port
from mesh.ports.door import Door
from mesh.ports.graphql_door import has_graphql
from mesh.product.pause import Pause
from mesh.product.rewriting import Rewriting

__all__ = ["Events", "Figures", "Management"]

# What observability says, as a page in a format of its own: the text and its media type.
Figures = Callable[[Mapping[str, object]], tuple[bytes, str]]
# What its runs read and wrote, as OpenLineage events.
Events = Callable[[], Sequence[Mapping[str, object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """The management ports of *product*.

    *progress* says how far the runtime is, *events* what its runs did; *owners* are the
    principals that may pause; *has_open_samples* is for a door that only this machine reaches.
    """

    product: Product
    door: Door
    progress: Callable[[], Mapping[str, object]]
    pausing: Pause
    rewriting: Rewriting
    owners: frozenset[str]
    figures: Figures
    identifiers: Mapping[str, Identifier]
    has_open_samples: bool
    events: Events = tuple

    def status(self) -> dict[str, object]:
        """In short, for whoever asks often."""
        rows, rejected = self.door.counts()
        return {**self.progress(), "rows": rows, "rejected": rejected}

    def observability(self) -> dict[str, object]:
        """In full."""
        paused = self.pausing.paused
        status = self.status()
        return {
            **status,
            "product": self.product.id,
            "is_healthy": status.get("state") == "running",
            "paused": asdict(paused) if paused else None,
            "quarantine": [
                {"port": port, "rule": rule, "field": field, "count": count}
                for port, rule, field, count in self.door.rejections()
            ],
        }

    def lineage(self) -> dict[str, object]:
        """What its last runs read and wrote, oldest first."""
        return {"product": self.product.id, "events": list(self.events())}

    def metrics(self) -> tuple[bytes, str]:
        """The figures as a monitoring system reads them, and their media type."""
        return self.figures(self.observability())

    def discoverability(self, address: str) -> dict[str, object]:
        """What there is, and where it is read; *address* is how this door was reached."""
        product = self.product
        return {
            "product": product.id,
            "name": product.name,
            "version": product.version,
            "domain": product.domain,
            "owner": product.owner,
            "description": product.description,
            "ports": [port_record(each, address) for each in product.outputs],
            "inputs": [
                {"name": each.name, "contract": each.contract_id, "system": each.system}
                for each in product.inputs
            ],
            "management": {
                name: f"{address}/{name}"
                for name in ("discoverability", "observability", "control", "dictionary")
            },
            "metrics": f"{address}/metrics",
            "openapi": f"{address}/openapi.json",
            "graphql": f"{address}/graphql" if has_graphql() else None,
            "grpc": self._grpc(address),
            "descriptor": product.document,
            "contracts": {each.id: each.document for each in product.contracts},
        }

    def _grpc(self, address: str) -> str | None:
        port = self.door.grpc_port
        return None if port is None else f"{urlsplit(address).hostname}:{port}"

    def dictionary(self, token: str | None) -> dict[str, object]:
        """Every field of every port. Raises `NotKnown` for a token that is not good."""
        if token is not None:
            self.door.principal(token)
        return {
            "product": self.product.id,
            "ports": [
                describe_port(
                    self.door,
                    port,
                    self.identifiers,
                    has_sample=self.has_open_samples or self._is_granted(port.name, token),
                )
                for port in self.product.outputs
            ],
        }

    def _is_granted(self, port: str, token: str | None) -> bool:
        try:
            return token is not None and bool(self.door.contract(port, token))
        except Refused:
            return False

    def control(self) -> dict[str, object]:
        """Whether it is paused, and what the runtime does now."""
        progress, paused = self.progress(), self.pausing.paused
        return {
            "product": self.product.id,
            "state": progress.get("state"),
            "reason": progress.get("reason"),
            "paused": asdict(paused) if paused else None,
            "rewriting_asked_at": self.rewriting.asked_at,
            "rewritten_at": self.rewriting.done_at,
        }

    def rewrite(self, token: str) -> dict[str, object]:
        """Have the storage written anew, without what was deleted from it.

        Raises `NotKnown` for a token that is not good, `Refused` for who does not erase.
        """
        principal = self.door.principal(token)
        if principal != ERASER:
            raise Refused(f"{principal} does not erase: only {ERASER} may ask for a rewriting")
        self.rewriting.ask()
        return self.control()

    def pause(self, token: str, reason: str) -> dict[str, object]:
        """Pause, as whoever the token speaks for.

        Raises `NotKnown` for a token that is not good, `Refused` for who is no owner.
        """
        self.pausing.pause(self._owner(token), reason)
        return self.control()

    def resume(self, token: str) -> dict[str, object]:
        """Go on; *ended* is the pause that was, if any. Raises as `pause` does."""
        self._owner(token)
        ended = self.pausing.resume()
        return {**self.control(), "ended": asdict(ended) if ended else None}

    def _owner(self, token: str) -> str:
        principal = self.door.principal(token)
        if principal not in self.owners:
            raise Refused(
                f"{principal} does not own {self.product.id}: only its owners and itself may "
                "pause or resume it"
            )
        return principal


def port_record(port: OutputPort, address: str) -> dict[str, object]:
    """What an output port is, and where its rows are."""
    contract = port.contract
    return {
        "name": port.name,
        "contract": contract.id,
        "version": contract.version,
        "kind": contract.kind,
        "access": contract.access,
        "description": contract.description,
        "topic": contract.topic,
        "subject": contract.subject,
        # Of files as large as those of days, a door gives none.
        "rows": None if contract.day_field else f"{address}/ports/{port.name}/rows",
    }
