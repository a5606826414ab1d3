"""`mesh topics` and `mesh provision`: what the contracts ask of Kafka, and making it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table, steps

if TYPE_CHECKING:
    from mesh.backbone.admin import Admin

__all__ = ["provision", "topics"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def topics(app: App, *, as_json: bool) -> None:
    r"""List every topic that the contracts ask for, as they ask for it.

    A topic that stands and differs is reported by `mesh up` and `mesh status`, never mended; one
    that no contract promises any more is removed by `mesh retire`.

    \b
    Example:
      mesh topics
    """
    from mesh.control.provision import topics_of

    found = sorted(topics_of(app.project), key=lambda each: each.name)
    if as_json:
        show_json(
            [
                {"name": each.name, "partitions": each.partitions, "config": dict(each.config)}
                for each in found
            ]
        )
        return
    show_table(
        ("topic", "partitions", "settings"),
        [
            (each.name, each.partitions, " ".join(f"{k}={v}" for k, v in each.config.items()))
            for each in found
        ],
    )


@click.command()
@click.option("--follow", is_flag=True, help="Stay, and serve products that join; Ctrl-C ends it.")
@click.pass_obj
def provision(app: App, *, follow: bool) -> None:
    r"""Make principals, rights, topics and schemas on an external Kafka and registry.

    Needs MESH_BOOTSTRAP_SERVERS, MESH_REGISTRY_URL and the administrator's MESH_SASL_USERNAME
    and MESH_SASL_PASSWORD. `mesh up` does the same by itself. May be repeated.

    With --follow it goes on: it registers the project's products in the catalogue, and makes what
    the descriptors of others ask for once they are accepted.

    \b
    Example:
      mesh provision
    """
    from mesh.control.provision import provision
    from mesh.wiring.external import external_admin

    admin = external_admin(app.settings, app.home, app.endpoint)
    with steps() as progress:
        made = provision(
            app.project,
            app.home,
            admin,
            replication=app.settings.replication_factor,
            report=lambda step: progress.say(f"making {step}"),
        )
    click.echo(f"{len(made.made_topics)} topics made, {len(made.registered)} schemas registered")
    for each in made.warnings:
        click.echo(f"warning: {each}", err=True)
    if follow:
        follow_joining(app, admin)
    sys.exit(1 if made.differences else 0)


def follow_joining(app: App, admin: Admin) -> None:
    """Let products join until told to stop."""
    from mesh.cli.run import log, stop_on_signal
    from mesh.contract.catalogue import SERVICE
    from mesh.wiring.joining import Joining

    def address() -> str | None:
        found = app.settings.services.get(SERVICE)
        return found.rstrip("/") if found else app.home.address(SERVICE)

    def warn(found: list[str]) -> None:
        for each in found:
            log(f"warning: {each}")

    work = Joining(
        project=app.project,
        home=app.home,
        admin=admin,
        replication=app.settings.replication_factor,
        address=address,
        log=log,
        warn=warn,
        # By its age a container is known to be healthy: who joins listens nowhere.
        beat=lambda: app.home.write_run("joining.json", {"pid": os.getpid()}),
    )
    work.run(stop_on_signal())
