"""`mesh secrets`: make them, and carry those that another state folder needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from mesh.cli.app import App
from mesh.errors import WrongUse
from mesh.home import write_private

__all__ = ["secrets"]

ADMIN = "admin"

# Kafka's own format of a JAAS login configuration, and of a client's properties.
JAAS = """KafkaServer {{
  org.apache.kafka.common.security.plain.PlainLoginModule required
    username="{name}" password="{secret}" user_{name}="{secret}";
  org.apache.kafka.common.security.scram.ScramLoginModule required;
}};
"""
CLIENT = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  username="{name}" password="{secret}";
"""


@click.group()
def secrets() -> None:
    """Make the secrets of a mesh in containers, and carry them to the host."""


@secrets.command()
@click.option(
    "--kafka",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder only Kafka can read: its administrator's login goes there too.",
)
@click.pass_obj
def make(app: App, *, kafka: Path | None) -> None:
    r"""Make a secret for every principal that has none, and the keys of tokens.

    \b
    Example:
      mesh secrets make
    """
    from mesh.control.joined import joined_principals
    from mesh.control.provision import make_secrets

    made = make_secrets(app.project, app.home, joined_principals(app.home))
    if kafka is not None:
        secret = app.home.make_secret(ADMIN)
        for name, text in (("jaas.conf", JAAS), ("client.properties", CLIENT)):
            path = kafka / name
            write_private(path, text.format(name=ADMIN, secret=secret))
            # Kafka's container has a user of its own; nothing else mounts this folder.
            path.chmod(0o644)
    click.echo(f"{len(made)} principals have a secret")


@secrets.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def export(app: App, names: tuple[str, ...]) -> None:
    r"""Print the secrets of people and systems (or of NAMES) as JSON, for `import` elsewhere.

    \b
    Example:
      mesh secrets export ada | MESH_HOME=/tmp/other mesh secrets import
    """
    chosen = names or (*app.project.people, *app.project.systems)
    if sys.stdout.isatty():
        raise WrongUse("secrets are not shown on a terminal: pipe them into `mesh secrets import`")
    click.echo(json.dumps({name: app.home.secret(name) for name in chosen}))


@secrets.command(name="import")
@click.pass_obj
def import_(app: App) -> None:
    r"""Take over secrets that `export` printed elsewhere, from standard input.

    \b
    Example:
      mesh secrets export ada | MESH_HOME=/tmp/other mesh secrets import
    """
    try:
        found = json.load(sys.stdin)
    except ValueError as error:
        raise WrongUse(
            f"standard input is not what `mesh secrets export` prints: {error}"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise WrongUse("standard input is not what `mesh secrets export` prints")
    names = {*app.project.people, *app.project.systems, *app.project.products}
    for name in found:
        # A name becomes a path: only those of the project may.
        if name not in names:
            raise WrongUse(f"the project knows no principal {name!r}")
        path = app.home.secret_path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, f"{found[name]}\n")
    click.echo(f"{len(found)} secrets taken over into {app.home.path}: {', '.join(found)}")
