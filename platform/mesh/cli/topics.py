"""`mesh topics` and `mesh provision`: what the contracts ask of Kafka, and making it."""

from __future__ import annotations

import sys

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table, steps

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
@click.pass_obj
def provision(app: App) -> None:
    r"""Make principals, rights, topics and schemas on an external Kafka and registry.

    Needs MESH_BOOTSTRAP_SERVERS, MESH_REGISTRY_URL and the administrator's MESH_SASL_USERNAME
    and MESH_SASL_PASSWORD. `mesh up` does the same by itself. May be repeated.

    \b
    Example:
      mesh provision
    """
    from mesh.control.provision import provision
    from mesh.wiring.external import external_admin

    with steps() as progress:
        made = provision(
            app.project,
            app.home,
            external_admin(app.settings, app.home, app.endpoint),
            replication=app.settings.replication_factor,
            report=lambda step: progress.say(f"making {step}"),
        )
    click.echo(f"{len(made.made_topics)} topics made, {len(made.registered)} schemas registered")
    for each in made.warnings:
        click.echo(f"warning: {each}", err=True)
    sys.exit(1 if made.differences else 0)
