"""What every command starts from: settings, state folder, project; read when first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mesh.errors import NotRunning, SettingsError
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
    def found_home(self) -> Home:
        """The state folder as it is, perhaps absent: nothing is made."""
        return Home.find(self.settings.home_path)

    @cached_property
    def project(self) -> Project:
        """The products, read and checked. Raises `SettingsError` where there is none."""
        from mesh.contract.project import load_project

        project = load_project(self.project_root)
        if not project.products:
            remedy = "go to the project's folder, or name it with MESH_PROJECT"
            if "project" in self.settings.model_fields_set:
                remedy = "MESH_PROJECT says to look there: `unset MESH_PROJECT`, or name another"
            raise SettingsError(
                f"there is no product in {self.project_root / 'products'}: {remedy}"
            )
        return project

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
        address = self.found_home.address(service)
        if address is None:
            raise NotRunning(
                f"{service} is not running: see `mesh status`, and start the mesh with `mesh up`"
            )
        return address
