"""`mesh principal`: lets a product join that no file of the project describes."""

from __future__ import annotations

import time

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table, steps
from mesh.errors import MeshError, NotRunning

__all__ = ["principal"]

WAIT_S = 30.0
POLL_S = 0.3


@click.group()
def principal() -> None:
    r"""Add a product by its name alone; all else follows from its descriptor.

    \b
    Example:
      mesh principal add weather --domain marketing
    """


@principal.command()
@click.argument("name")
@click.option("--domain", required=True, help="The domain whose product it is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(app: App, name: str, *, domain: str, as_json: bool) -> None:
    r"""Make NAME a principal of a domain, with a secret and a topic on which to describe itself.

    Returns when the topic is there. Topics, rights and schemas of its ports follow once the
    catalogue has accepted its descriptor. May be repeated.

    \b
    Example:
      mesh principal add weather --domain marketing
    """
    from mesh.contract.catalogue import descriptor_topic
    from mesh.control.joined import add_principal

    is_new = add_principal(app.project, app.home, name, domain)
    topic = descriptor_topic(domain, name)
    with steps() as progress:
        progress.say(f"waiting for {topic}")
        wait_for(app, name, topic)
    secret = app.home.secret_path(name)
    if as_json:
        show_json({"name": name, "domain": domain, "topic": topic, "secret_file": str(secret)})
        return
    click.echo(f"{name} is a principal of {domain}{'' if is_new else ' already'}")
    click.echo(f"its secret lies in {secret}, its descriptor belongs on {topic}")


@principal.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(app: App, *, as_json: bool) -> None:
    r"""List who joined by a name alone.

    \b
    Example:
      mesh principal list
    """
    from mesh.control.joined import joined_principals

    found = joined_principals(app.home)
    if as_json:
        show_json([{"name": name, "domain": domain} for name, domain in found.items()])
        return
    show_table(("principal", "domain"), list(found.items()))


def wait_for(app: App, name: str, topic: str) -> None:
    """Wait until Kafka knows *name* and shows it *topic*. Raises `NotRunning` if it does not."""
    from mesh.backbone.admin import Admin

    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            admin = Admin(app.endpoint, app.principal(name))
            if topic in admin.topic_partitions():
                return
        except NotRunning:
            raise
        except MeshError:
            pass  # Kafka does not know it yet
        time.sleep(POLL_S)
    raise NotRunning(
        f"{name} has a secret, and nobody made {topic} in {WAIT_S:.0f} s: `mesh up`, "
        "`mesh provision` or `mesh provision --follow` does it"
    )
