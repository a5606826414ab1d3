"""What every command starts from: settings, state folder, project; read when first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.errors import NotRunning
from mesh.home import Home
from mesh.settings import Settings, load

if TYPE_CHECKING:
    from mesh.backbone.endpoint import Endpoint, Principal
    from mesh.contract.project import Project

__all__ = ["App"]


class App:
    """One run of the command line."""

    @cached_property
    def settings(self) -> Settings:
        """The settings of the environment."""
        return load()

    @property
    def project_root(self) -> Path:
        """Where the products are."""
        return self.settings.project

    @cached_property
    def home(self) -> Home:
        """The state folder, made if absent."""
        return Home.open(self.settings.home_path)

    @cached_property
    def project(self) -> Project:
        """The products, read and checked."""
        from mesh.contract.project import load_project

        return load_project(self.project_root)

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where Kafka and the registry are."""
        from mesh.backbone.endpoint import find_endpoint

        return find_endpoint(self.settings, self.home)

    def principal(self, name: str) -> Principal:
        """A principal with its secret."""
        from mesh.backbone.endpoint import Principal

        return Principal(name=name, secret=self.home.secret(name))

    def address(self, service: str) -> str:
        """Where a service of ours listens. Raises `NotRunning` if it does not."""
        if service in self.settings.services:
            return self.settings.services[service].rstrip("/")
        document = self.home.read_run(f"{service}.json")
        if document is None:
            raise NotRunning(
                f"{service} is not running: start the mesh with `mesh up`, or it alone with "
                f"`mesh run {service}`"
            )
        return str(document["address"])
