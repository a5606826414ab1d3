"""Settings of a mesh, from the environment (prefix `MESH_`); nothing is read before `load`.

Without `MESH_BOOTSTRAP_SERVERS` the mesh brings its own Kafka and registry (embedded);
with it, it uses those that stand there (external).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as Unparsable

from mesh.errors import SettingsError

__all__ = ["Settings", "load"]

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]


class Settings(BaseSettings):
    """Every setting, each by `MESH_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="MESH_", env_ignore_empty=True, extra="ignore")

    project: Path = Field(default_factory=lambda: find_project(Path.cwd()))
    home: Path | None = None
    cache: Path = Field(default_factory=lambda: Path.home() / ".cache" / "mesh")

    maven_mirror: str | None = None
    offline: bool = False
    kafka_port: int = Field(default=0, ge=0, le=65535)
    registry_port: int = Field(default=0, ge=0, le=65535)

    bootstrap_servers: str | None = None
    security_protocol: SecurityProtocol = "SASL_PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-256"
    admin_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    registry_url: str | None = None
    registry_username: str | None = None
    registry_password: SecretStr | None = None
    replication_factor: int = Field(default=1, ge=1)

    debug: bool = False
    failpoint: str | None = None
    movable_clock: bool = False
    principal: str | None = None
    services: dict[str, str] = Field(default_factory=dict)
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    grpc_port: int | None = Field(default=None, ge=0, le=65535)

    @field_validator("*")
    @classmethod
    def from_here(cls, value: object) -> object:
        """A relative path is meant from where the command was given, whoever reads it later."""
        return value.absolute() if isinstance(value, Path) else value

    @field_validator("ssl_ca_location", "ssl_certificate_location", "ssl_key_location")
    @classmethod
    def is_there(cls, path: Path | None) -> Path | None:
        """A file of keys that is missing is an error here, not one of OpenSSL's."""
        if path is not None and not path.is_file():
            raise ValueError("there is no such file")
        return path

    @property
    def is_external(self) -> bool:
        """Whether Kafka and the registry are somebody else's."""
        return self.bootstrap_servers is not None

    @property
    def home_path(self) -> Path:
        """The state folder: `MESH_HOME`, or `.mesh` in the project."""
        return self.home or self.project / ".mesh"

    def paths(self) -> dict[str, str]:
        """The paths as environment variables, for a process that runs in another folder."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        found["home"] = self.home_path
        return {
            f"MESH_{name.upper()}": str(value)
            for name, value in found.items()
            if isinstance(value, Path)
        }


def load() -> Settings:
    """Read the settings from the environment.

    Raises `SettingsError` naming each variable that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"MESH_{str(each['loc'][0]).upper()}: {each['msg']}"
            for each in error.errors(include_input=False)
        )
        raise SettingsError(f"settings cannot be used: {faults}") from None
    except Unparsable:
        # Of all settings, `services` alone is more than a word.
        raise SettingsError(
            'settings cannot be used: MESH_SERVICES: it must be JSON, {"NAME": "ADDRESS", …}'
        ) from None
    except FileNotFoundError:
        raise SettingsError(
            "the folder that we are in has been removed: change into another"
        ) from None


def find_project(start: Path) -> Path:
    """The nearest folder at or above *start* with `products/`, else where the package stands."""
    for folder in (start, *start.parents):
        if (folder / "products").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    spec = importlib.util.find_spec("products")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent.parent
    return start
