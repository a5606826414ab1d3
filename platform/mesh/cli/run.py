"""`mesh run` and `mesh serve`: one product, or one service, in the foreground."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import click

from mesh.cli.app import App

__all__ = ["run", "serve"]


@click.command()
@click.argument("product")
@click.option("--standby", is_flag=True, help="Wait until no other process holds its storage.")
@click.pass_obj
def run(app: App, product: str, *, standby: bool) -> None:
    r"""Run one PRODUCT in the foreground until Ctrl-C.

    Needs a Kafka: that of a running mesh, or one named by MESH_BOOTSTRAP_SERVERS.

    A product is one process. With --standby a second one on the same state folder waits, and
    takes over within seconds when the first ends; without, it is refused. On another state
    folder it is refused while the first lives.

    \b
    Example:
      mesh run call-center
      mesh run call-center --standby
    """
    from mesh.product.failpoints import arm
    from mesh.wiring.batch import run_batch
    from mesh.wiring.product import run_product

    if app.project.product(product).is_batch_only:
        run_batch(app.settings, app.home, app.project, product, log=log, stop=stop_on_signal())
        return
    if app.settings.failpoint is not None:
        arm(app.settings.failpoint)
    run_product(
        app.settings,
        app.home,
        app.project,
        product,
        log=log,
        stop=stop_on_signal(),
        is_standby=standby,
    )


@click.command(hidden=True)
@click.argument("service", type=click.Choice(["access", "audit", "sql"]))
@click.pass_obj
def serve(app: App, service: str) -> None:
    """Run one SERVICE of the platform in the foreground."""
    from mesh.wiring.access import run_access
    from mesh.wiring.audit import run_audit
    from mesh.wiring.sql import run_sql

    work = {"access": run_access, "audit": run_audit, "sql": run_sql}[service]
    work(app.settings, app.home, app.project, log=log, stop=stop_on_signal())


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM, Ctrl-C and a closed terminal set."""
    stop = threading.Event()
    handler: Callable[[int, object], None] = lambda number, frame: stop.set()  # noqa: E731 - one use
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # What `nohup` has us ignore stays ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
    return stop


def log(text: str) -> None:
    """Say what happens, with the time, on standard error."""
    # On a full disk there is no room for a log either, and the product goes on.
    with suppress(OSError):
        click.echo(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z {text}", err=True)
