"""What the doors of all products have in common: who may read, and what management ports say.

Not here: the process and its storage (`product`), files in place of one (`batch`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import duckdb

from mesh.contract.catalogue import CATALOGUE
from mesh.contract.model import Contract, Product
from mesh.contract.project import Project
from mesh.control.tokens import check_token, public_key
from mesh.errors import SettingsError
from mesh.home import Home
from mesh.observe.metrics import figures
from mesh.ports.door import Door
from mesh.ports.management import Events, Management
from mesh.product.pause import Pause
from mesh.product.rewriting import Rewriting
from mesh.settings import Settings
from mesh.wiring.granted import Granted

__all__ = ["door_of", "grpc_of", "is_loopback", "management_of"]


def door_of(
    home: Home,
    granted: Granted,
    product: Product,
    connection: duckdb.DuckDBPyConnection,
    contracts: Mapping[str, Contract],
) -> Door:
    """The door of *product* to its rows in *connection*, for those who are granted each port now.

    So may the catalogue, to test contracts on real data: here, and on no topic.
    """
    key, own = public_key(home), {product.id, CATALOGUE}
    return Door(
        connection,
        contracts,
        readers=lambda contract: granted.direct_readers_of(contract) | own,
        check=lambda token: check_token(token, key, product.id),
        secret=home.secret(product.id),
    )


@contextmanager
def grpc_of(
    settings: Settings, door: Door, product: str, log: Callable[[str], None]
) -> Iterator[None]:
    """Serve *door* by gRPC too for the time of a block, where the settings say so.

    Raises `SettingsError` without the extra, `BackboneError` where it cannot listen.
    """
    if settings.grpc_port is None:
        yield
        return
    try:
        from mesh.ports.grpc_door import grpc_door
    except ImportError as error:
        raise SettingsError(
            "MESH_GRPC_PORT is set, and gRPC is not installed: leave it out, or "
            "`pip install 'reference-data-mesh[grpc]'`"
        ) from error
    host, port = settings.http_host, settings.grpc_port
    with grpc_door(door, product, host=host, port=port) as door.grpc_port:
        log(f"{product} listens for gRPC at {host}:{door.grpc_port}")
        yield


def management_of(
    settings: Settings,
    project: Project,
    product: Product,
    door: Door,
    *,
    progress: Callable[[], Mapping[str, object]],
    pausing: Pause,
    rewriting: Rewriting | None = None,
    events: Events = tuple,
) -> Management:
    """The management ports of *product*, whose owners and itself may pause it."""
    return Management(
        product=product,
        door=door,
        progress=progress,
        pausing=pausing,
        rewriting=rewriting or Rewriting(),
        owners=frozenset({*project.owners_of(product.id), product.id}),
        figures=figures,
        identifiers=project.identifiers,
        has_open_samples=is_loopback(settings.http_host),
        events=events,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
