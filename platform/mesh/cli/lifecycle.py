"""`mesh up`, `mesh down`: start and stop the whole mesh of one state folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

import click
import psutil

from mesh.cli.app import App
from mesh.cli.output import Steps, said, steps
from mesh.control.running import Running, find_running
from mesh.errors import BackboneError, MeshError

__all__ = ["down", "supervise", "up"]

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1


@click.command()
@click.option("--foreground", is_flag=True, help="Stay, and stop the mesh at Ctrl-C.")
@click.pass_obj
def up(app: App, *, foreground: bool) -> None:
    r"""Start the mesh, and return when all of it is ready.

    A second start says that it runs and changes nothing.

    \b
    Example:
      mesh up
      mesh status
    """
    start(app, foreground=foreground)


@click.command()
@click.pass_obj
def down(app: App) -> None:
    r"""Stop the mesh. What it has stored stays.

    \b
    Example:
      mesh down
    """
    stop(app)


@click.command(hidden=True)
@click.pass_obj
def supervise(app: App) -> None:
    """Run the mesh in this process (what `mesh up` starts in the background)."""
    from mesh.wiring.supervised import supervise

    supervise(app.settings, app.home)


def start(app: App, *, foreground: bool = False) -> bool:
    """Start the mesh; whether it was we who started it."""
    running = find_running(app.home)
    if running is not None:
        click.echo(f"the mesh of {app.home.path} already runs (pid {running.pid})")
        return False
    # Faults in the products are the author's to read here, not in the supervisor's log.
    count = len(app.project.products)
    with steps() as progress:
        if not app.settings.is_external:
            install(app, progress)
        if foreground:
            from mesh.wiring.supervised import supervise

            click.echo("the mesh runs in the foreground; Ctrl-C stops it", err=True)
            supervise(app.settings, app.home)
            return True
        started = time.monotonic()
        process = launch(app)
        try:
            wait_until_ready(app, process, progress)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    took = time.monotonic() - started
    click.echo(f"the mesh is ready: {count} product{'s' * (count != 1)}, started in {took:.1f} s")
    for warning in warnings_of(app):
        click.echo(f"warning: {warning}", err=True)
    return True


def install(app: App, progress: Steps) -> None:
    """Fetch the jars, unless the cache has them."""
    from mesh.backbone.artifacts import install
    from mesh.backbone.lockfile import read_lock

    settings = app.settings
    install(settings.cache, settings.maven_mirror, progress.bytes, settings.offline, read_lock())


def launch(app: App) -> subprocess.Popen[bytes]:
    """Start the supervisor, apart from this terminal."""
    (app.home.run / "mesh.json").unlink(missing_ok=True)
    with (app.home.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "mesh", "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=app.project_root,
            env={
                **os.environ,
                "MESH_HOME": str(app.home.path),
                "MESH_PROJECT": str(app.project_root),
            },
            start_new_session=True,
        )


def wait_until_ready(app: App, process: subprocess.Popen[bytes], progress: Steps) -> None:
    """Show what the supervisor does until all is ready.

    Raises `BackboneError` with its reason if it gives up.
    """
    progress.say("starting")
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        document = app.home.read_run("mesh.json") or {}
        if document.get("state") == "running":
            return
        if process.poll() is not None:
            reason = said(document, "error") or f"see {app.home.logs / 'supervisor.log'}"
            raise BackboneError(f"the mesh did not start: {reason}")
        progress.say(said(document, "step"))
        time.sleep(POLL_S)
    raise BackboneError(f"the mesh was not ready within {START_TIMEOUT_S:.0f} s: see `mesh status`")


def warnings_of(app: App) -> list[str]:
    """What the supervisor found odd."""
    found: Mapping[str, object] = app.home.read_run("mesh.json") or {}
    warnings = found.get("warnings")
    return [str(each) for each in warnings] if isinstance(warnings, list) else []


def stop(app: App) -> None:
    """Stop the mesh and say what was done."""
    running = find_running(app.home)
    if running is None:
        click.echo(f"no mesh runs in {app.home.path}")
        return
    began = time.monotonic()
    with steps() as progress:
        progress.say("stopping")
        terminate(running)
    click.echo(f"the mesh is stopped, in {time.monotonic() - began:.1f} s")


def terminate(running: Running) -> None:
    """Ask the supervisor to end, and wait for it; its children end with it."""
    try:
        process = psutil.Process(running.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.AccessDenied as error:
        raise MeshError(
            f"the mesh belongs to another user (pid {running.pid}): stop it as that user"
        ) from error
