"""Docker compose for the tests: our file, under a project name of the tests' own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mesh.testing.containers import why_no_docker
from tests.repository import ROOT

__all__ = ["Compose", "composed", "why_no_compose"]


@dataclass(frozen=True, slots=True)
class Compose:
    """One compose project."""

    files: tuple[str, ...]
    project: str = "mesh-test"

    def run(self, *arguments: str, timeout_s: float = 600) -> str:
        """Run `docker compose` and return what it prints; its errors are the test's."""
        files = [part for file in self.files for part in ("-f", file)]
        done = subprocess.run(
            ["docker", "compose", "-p", self.project, *files, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            told = f"{arguments}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
            raise AssertionError("\n".join([told, *self._stories_of_the_ill()]))
        return done.stdout

    def states(self) -> dict[str, str]:
        """The state of each service's container."""
        lines = self.run("ps", "-a", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines]
        return {each["Service"]: each["Health"] or each["State"] for each in found}

    def _stories_of_the_ill(self) -> Iterator[str]:
        """Of each container that is not well: its state, its last checks, its last words."""
        project = f"label=com.docker.compose.project={self.project}"
        for id_ in docker("ps", "-aq", "--filter", project).split():
            state = json.loads(docker("inspect", "--format", "{{json .State}}", id_))
            count = docker("inspect", "--format", "{{.Name}} started again: {{.RestartCount}}", id_)
            health = state.get("Health", {}).get("Status", "healthy")
            if (health, state["ExitCode"]) != ("healthy", 0) or not count.rstrip().endswith(" 0"):
                words = docker("logs", "--timestamps", "--tail", "40", id_)
                yield f"{count}{json.dumps(state, indent=1)}\n{words}"


def docker(*arguments: str) -> str:
    """What `docker` prints, of both kinds."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@contextmanager
def composed(*files: str) -> Iterator[Compose]:
    """A project that is up and healthy, and gone at the end with all its volumes."""
    compose = Compose(files or ("docker-compose.yml",))
    compose.run("--profile", "tools", "down", "-v", "--remove-orphans")
    try:
        compose.run("up", "--build", "--wait", timeout_s=900)
        yield compose
    finally:
        compose.run("down", "-v", "--remove-orphans")


def why_no_compose() -> str | None:
    """Why the compose file cannot be run here, or None."""
    reason = why_no_docker()
    if reason is not None:
        return reason
    done = subprocess.run(
        ["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else "the Docker engine here has no compose"
