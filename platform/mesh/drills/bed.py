"""A product to be broken, on a Kafka of one's own: files, topics, secrets, addresses.

The product `ledger` has an event port and a state port over the same entries; its files lie
beside this one. Everything is in one folder that goes with the drill.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mesh.backbone.admin import Admin
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.model import Contract
from mesh.contract.project import Project, load_project
from mesh.control.provision import provision
from mesh.home import Home

__all__ = ["FEEDER", "PRODUCT", "Bed", "make_bed"]

PRODUCT, FEEDER = "ledger", "drill-feeder"
TEMPLATES = Path(__file__).parent / "ledger"
DOMAIN = "drills"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """Where the product lives: its project and state folder, and the Kafka that it uses."""

    project: Project
    home: Home
    endpoint: Endpoint
    admin: Principal
    mechanism: str | None

    def contract(self, port: str) -> Contract:
        """The contract of one of the product's ports."""
        return self.project.contract(f"{PRODUCT}.{port}")

    def client(self, principal: str = "") -> dict[str, object]:
        """The settings of a Kafka client, the administrator's unless *principal* is named."""
        if not principal:
            return self.endpoint.client(self.admin, self.mechanism)
        return self.endpoint.client(Principal(name=principal, secret=self.home.secret(principal)))

    def environment(self, failpoint: str = "") -> dict[str, str]:
        """The whole environment of the product's process."""
        others = {name: value for name, value in os.environ.items() if "MESH_" not in name}
        return others | {
            "MESH_HOME": str(self.home.path),
            "MESH_PROJECT": str(self.project.root),
            "MESH_BOOTSTRAP_SERVERS": self.endpoint.bootstrap_servers,
            "MESH_REGISTRY_URL": self.endpoint.registry_url,
            "MESH_SECURITY_PROTOCOL": self.endpoint.security_protocol,
            "MESH_SASL_MECHANISM": self.endpoint.sasl_mechanism,
            "MESH_FAILPOINT": failpoint,
        }

    def elsewhere(self) -> Bed:
        """The same product on another machine: its secrets are there, its storage is not."""
        number = len(list(self.home.path.parent.glob("home*")))
        home = Home.open(self.home.path.with_name(f"home-{number}"))
        for name in ("principals", "public"):
            shutil.copytree(self.home.path / name, home.path / name, dirs_exist_ok=True)
        return replace(self, home=home)


def make_bed(
    folder: Path,
    endpoint: Endpoint,
    admin: Principal,
    mechanism: str | None,
    *,
    domain: str = DOMAIN,
    report: Callable[[str], None] = lambda _: None,
) -> Bed:
    """Write the product below *folder* and make its topics, rights and schemas.

    Topics bear the *domain*, so that several beds may share a Kafka.
    """
    root = folder / "project"
    product = root / "products" / PRODUCT
    (product / "contracts").mkdir(parents=True)
    for source in TEMPLATES.iterdir():
        text = source.read_text(encoding="utf-8")
        text = text.replace(f".{DOMAIN}.", f".{domain}.").replace(
            f"domain: {DOMAIN}", f"domain: {domain}"
        )
        folder_of = product / "contracts" if source.name.endswith(".odcs.yaml") else product
        name = source.name.replace(".template", "")
        (folder_of / name).write_text(text, encoding="utf-8")
    bed = Bed(
        project=load_project(root),
        home=Home.open(folder / "home"),
        endpoint=endpoint,
        admin=admin,
        mechanism=mechanism,
    )
    provision(
        bed.project, bed.home, Admin(endpoint, admin, mechanism), replication=1, report=report
    )
    return bed
