"""Lets products join a mesh that runs: what an accepted descriptor asks for is made.

One thread follows the catalogue's topic of accepted products and the principals that were added,
and provisions what is not there yet; what owners say of who may read becomes rights at Kafka. It
also registers the project's own products, by the same door as others. Not here: whether a
descriptor is good, which the catalogue judges, and who may grant, which the access service does.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from mesh.backbone.admin import Admin
from mesh.backbone.endpoint import Principal
from mesh.contract.access import accesses, decisions
from mesh.contract.catalogue import PRODUCTS_TOPIC, SERVICE
from mesh.contract.descriptor import descriptor_in
from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.control.joined import joined_principals
from mesh.control.principals import REGISTRAR
from mesh.control.provision import provision, settle
from mesh.control.registering import put_descriptor, sources_first
from mesh.control.supervisor import Supervisor
from mesh.control.tokens import issue_token
from mesh.errors import MeshError, SchemaIncompatible
from mesh.home import Home
from mesh.settings import Settings
from mesh.wiring.accepted import Following, Records, products_of
from mesh.wiring.granted import Clock, following_grants

__all__ = ["Joining", "has_catalogue", "joining", "joining_of"]

LOOK_S = 0.5
REST_S = 2.0
Log = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Joining:
    """Who joins the mesh of *home*. *address* says where the catalogue answers, if it does.

    *warn* is told all that could not be done, *beat* every second or so that the thread lives;
    *is_registered* is set once every product of *project* was sent to the catalogue.
    """

    project: Project
    home: Home
    admin: Admin
    replication: int
    address: Callable[[], str | None]
    log: Log = lambda _: None
    warn: Callable[[list[str]], None] = lambda _: None
    beat: Callable[[], None] = lambda: None
    is_registered: threading.Event = field(default_factory=threading.Event)
    _now: Clock = field(default_factory=Clock)
    _decided: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    _settled: object = None
    _registering: list[str] = field(default_factory=list)
    _joining: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Follow until *stop* is set; what stands in the way is waited out."""
        principal = Principal(name=REGISTRAR, secret=self.home.secret(REGISTRAR))
        endpoint = self.admin.endpoint
        with (
            Following(endpoint, principal, PRODUCTS_TOPIC, self.log) as following,
            following_grants(endpoint, principal, self.log) as grants,
        ):
            while not stop.is_set():
                self.beat()
                try:
                    self._turn(following.look(LOOK_S), grants.look(0.0))
                except MeshError as error:
                    self.log(f"joining waits: {error}")
                    stop.wait(REST_S)

    def _turn(self, records: Records | None, acts: Records | None) -> None:
        """Do what is asked for by *records*, if all are there; what owners said comes first.

        A catalogue or a registry in trouble must not keep rights that were withdrawn.
        """
        if records is not None and acts is not None:
            self._obey(acts, records)
        self._register()
        if records is not None:
            self._settle(records)

    def _register(self) -> None:
        """Send the project's own products to the catalogue, once it answers."""
        address = self.address()
        if self.is_registered.is_set() or address is None:
            return
        refused = []
        for product in sources_first(self.project.products):
            secret = self.home.secret(product.id)
            token = issue_token(self.home, Principal(name=product.id, secret=secret), SERVICE)
            verdict = put_descriptor(address, token, descriptor_in(product.folder))
            if verdict["state"] != "accepted":
                why = "; ".join(
                    f"{each['rule']}: {each['problem']}" for each in verdict["findings"]
                )
                refused.append(f"the catalogue refuses {product.id}: {why}")
        self._registering = refused
        self.warn([*refused, *self._joining])
        self.is_registered.set()

    def _foreign(self, records: Records, joined: Mapping[str, str]) -> Records:
        """The records of products that no file describes, by their own principals."""
        return {
            id_: each
            for id_, each in records.items()
            if joined.get(id_) == each["domain"] and id_ not in self.project.products
        }

    def _settle(self, records: Records) -> None:
        """Make what the accepted *records* and the added principals ask for."""
        joined = joined_principals(self.home)
        foreign = self._foreign(records, joined)
        state = (dict(joined), {id_: each["digest"] for id_, each in foreign.items()})
        if state == self._settled:
            return
        if joined or self._settled is not None:
            self._provision([*products_of(foreign, self.log)])
        self._settled = state

    def _obey(self, acts: Records, records: Records) -> None:
        """Give Kafka's rights to those who were granted a port, and take them from others."""
        decided = decisions(accesses(acts).values(), self._now())
        changed = {key for key, _ in decided.items() ^ self._decided.items()}
        if changed:
            foreign = self._foreign(records, joined_principals(self.home))
            project = replace(self._whole([*products_of(foreign, self.log)]), decided=decided)
            settle(project, self.home, self.admin, {principal for _, principal in changed})
            self.log(f"rights of {', '.join(sorted({who for _, who in changed}))} are settled")
            self._decided = decided

    def _provision(self, foreign: list[Product]) -> None:
        """Provision the project with those of *foreign* whose schemas break no reader."""
        refused: dict[str, str] = {}
        good = foreign
        try:
            self._provision_all(foreign)
        except SchemaIncompatible:
            # One by one, so that one that cannot be served keeps nobody else out.
            good = []
            for each in foreign:
                try:
                    self._provision_all([*good, each])
                except SchemaIncompatible as error:
                    refused[each.id] = str(error)
                else:
                    good = [*good, each]
        self._joining = [f"{id_} gets no topics: {why}" for id_, why in refused.items()]
        self.warn([*self._registering, *self._joining])
        if good:
            self.log(f"joined: {', '.join(each.id for each in good)}")

    def _provision_all(self, foreign: list[Product]) -> None:
        provision(
            self._whole(foreign),
            self.home,
            self.admin,
            replication=self.replication,
            report=lambda _: None,
            knows_all=True,
        )

    def _whole(self, foreign: list[Product]) -> Project:
        """The project with those who joined, whose input ports are single ports that are there."""
        own = self.project.contracts
        there = {*own, *(one.id for each in foreign for one in each.contracts)}
        joined = {each.id: with_inputs(each, there) for each in foreign}
        return replace(self.project, products={**joined, **self.project.products})


def with_inputs(product: Product, there: Collection[str]) -> Product:
    """*product* with those of its input ports that are *there*; a family's grant themselves.

    To who joins by a descriptor, a family of ports is nothing that it may read.
    """
    inputs = (each for each in product.inputs if each.family is None and each.contract_id in there)
    return replace(product, inputs=tuple(inputs))


@contextmanager
def joining(work: Joining, timeout_s: float = 5.0) -> Iterator[Joining]:
    """Do *work* in a thread for the time of a block."""
    stop = threading.Event()
    thread = threading.Thread(target=work.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield work
    finally:
        stop.set()
        thread.join(timeout_s)


def joining_of(
    supervisor: Supervisor, project: Project, settings: Settings, admin: Admin
) -> Joining:
    """Who lets products join; what it cannot do is among the supervisor's warnings."""
    found = list(supervisor.warnings)

    def warn(warnings: list[str]) -> None:
        supervisor.warnings = [*found, *warnings]

    return Joining(
        project=project,
        home=supervisor.home,
        admin=admin,
        replication=settings.replication_factor,
        address=lambda: supervisor.home.address(SERVICE),
        log=log,
        warn=warn,
    )


def log(text: str) -> None:
    """Say in the supervisor's log what happened in its threads."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def has_catalogue() -> bool:
    """Whether the catalogue is installed beside us; we know it by its name alone."""
    return importlib.util.find_spec("catalog") is not None
