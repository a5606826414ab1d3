"""Whether a Docker engine answers here."""

from __future__ import annotations

import os
import socket

import docker

__all__ = ["why_no_docker"]

DOCKER_SOCKET = "unix:///var/run/docker.sock"


def why_no_docker() -> str | None:
    """Why no container can be started here, or None if one can."""
    host = os.environ.get("DOCKER_HOST", DOCKER_SOCKET)
    if host.startswith("unix://"):
        # Asked first, since docker-py leaves a socket open where nobody answers.
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(host.removeprefix("unix://"))
            except OSError as error:
                return f"no Docker engine answers at {host} ({error.strerror})"
    try:
        client = docker.from_env()
        client.ping()
        client.close()
    except docker.errors.DockerException as error:
        return f"no Docker engine answers ({str(error).splitlines()[0][:120]})"
    return None
