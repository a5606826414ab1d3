"""`mesh up`, `mesh down`: start and stop the whole mesh of one state folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

import click
import psutil

from mesh.cli.app import App
from mesh.cli.output import Steps, said, steps
from mesh.control.running import Running, find_running
from mesh.errors import BackboneError, MeshError, NotRunning, SettingsError

__all__ = ["down", "supervise", "up"]

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.1
INTERRUPTED = 130
# What Kafka, the registry and one product take before the first row, and some room.
LEAST_FREE_BYTES = 64_000_000


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

    supervise(app.settings, app.home, starter=sys.stdin.fileno())


def start(app: App, *, foreground: bool = False) -> bool:
    """Start the mesh; whether it was we who started it."""
    running = find_running(app.home)
    if running is not None:
        click.echo(f"the mesh of {app.home.path} already runs (pid {running.pid})")
        return False
    # Faults in the products are the author's to read here, not in the supervisor's log.
    count = len(app.project.products)
    check_room(app)
    with steps() as progress:
        if not app.settings.is_external:
            install(app, progress)
        if foreground:
            stay(app, progress)
            return True
        started = time.monotonic()
        start_in_background(app, progress)
    took = time.monotonic() - started
    click.echo(f"the mesh is ready: {count} product{'s' * (count != 1)}, started in {took:.1f} s")
    for warning in warnings_of(app):
        click.echo(f"warning: {warning}", err=True)
    return True


def check_room(app: App) -> None:
    """Raise `SettingsError` where the state folder is all but full.

    Later it would be a Java program that says so, in the log, if the log has room.
    """
    free = shutil.disk_usage(app.home.path).free
    if free < LEAST_FREE_BYTES:
        raise SettingsError(
            f"the state folder {app.home.path} is full: {free / 1e6:.0f} MB are free and "
            f"{LEAST_FREE_BYTES / 1e6:.0f} MB are needed; make room, or set MESH_HOME to "
            "another folder"
        )


def stay(app: App, progress: Steps) -> None:
    """Run the mesh in this process, until Ctrl-C."""
    from mesh.wiring.supervised import supervise

    click.echo("the mesh runs in the foreground; Ctrl-C stops it", err=True)
    supervise(app.settings, app.home, report=progress.say)
    click.echo("the mesh is stopped")


def start_in_background(app: App, progress: Steps) -> None:
    """Start the mesh apart from this terminal, and wait until it is ready.

    If this process is stopped before, in whatever way, the mesh stops itself: the pipe between
    them ends.
    """
    from mesh.wiring.supervised import READY

    begin = app.home.log.stat().st_size if app.home.log.exists() else 0
    process = launch(app)
    try:
        wait_until_ready(app, process, progress, begin)
        tell(process, READY)
    except BaseException:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise


def install(app: App, progress: Steps) -> None:
    """Fetch the jars, unless the cache has them."""
    from mesh.backbone.artifacts import install
    from mesh.backbone.lockfile import read_lock

    settings = app.settings
    install(settings.cache, settings.maven_mirror, progress.bytes, settings.offline, read_lock())


def launch(app: App) -> subprocess.Popen[bytes]:
    """Start the supervisor, apart from this terminal."""
    with app.home.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "mesh", "supervise"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=app.project_root,
            env={**os.environ, **app.settings.paths(), "MESH_DEBUG": "true"},
            start_new_session=True,
        )


def wait_until_ready(
    app: App, process: subprocess.Popen[bytes], progress: Steps, log_begin: int
) -> None:
    """Show what the supervisor does until all is ready.

    Raises `BackboneError` with its reason if it gives up.
    """
    progress.say("starting")
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = process.poll()
        document = app.home.read_run("mesh.json") or {}
        if document.get("pid") != process.pid:  # what another has left behind
            document = {}
        if document.get("state") == "running":
            return
        if ended is not None and (ended <= 0 or ended == INTERRUPTED):
            raise NotRunning("the mesh did not start: it was stopped before it was ready")
        if ended is not None:
            reason = said(document, "error") or last_words(app, log_begin)
            raise BackboneError(f"the mesh did not start: {reason}")
        progress.say(said(document, "step"))
        time.sleep(POLL_S)
    raise BackboneError(f"the mesh was not ready within {START_TIMEOUT_S:.0f} s: see `mesh status`")


def tell(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Say something to the supervisor, which may have ended since."""
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(words)


def last_words(app: App, log_begin: int) -> str:
    """What the supervisor wrote last into its log, which may be all that it could."""
    with app.home.log.open("rb") as log:
        log.seek(log_begin)
        lines = log.read().decode(errors="replace").splitlines()
    said_last = lines[-1].removeprefix("mesh: ") if lines else "it said nothing"
    return f"{said_last} (its log: {app.home.log})"


def warnings_of(app: App) -> list[str]:
    """What the supervisor found odd."""
    found: Mapping[str, object] = app.home.read_run("mesh.json") or {}
    warnings = found.get("warnings")
    return [str(each) for each in warnings] if isinstance(warnings, list) else []


def stop(app: App) -> None:
    """Stop the mesh and say what was done."""
    running = find_running(app.found_home)
    if running is None:
        click.echo(f"no mesh runs in {app.found_home.path}")
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
        if not has_ended(process, STOP_TIMEOUT_S):
            process.kill()
            has_ended(process, STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise MeshError(
            f"the mesh belongs to another user (pid {running.pid}): stop it as that user"
        ) from error


def has_ended(process: psutil.Process, timeout_s: float) -> bool:
    """Whether *process* has ended in time; whoever should take note of it may never do."""
    deadline = time.monotonic() + timeout_s
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
