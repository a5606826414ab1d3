"""`mesh retire`: removes the topic of a port that no contract promises any more."""

from __future__ import annotations

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, steps

__all__ = ["retire"]


@click.command()
@click.argument("topic")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def retire(app: App, topic: str, *, as_json: bool) -> None:
    r"""Remove TOPIC, the topic of a port that no contract promises any more.

    Refused while a contract promises it, or the broker lets anybody read it. What is on it is
    gone for good.

    \b
    Example:
      mesh retire pub.customer-service.call-center.calls.v1
    """
    from mesh.backbone.admin import Admin
    from mesh.control.principals import REGISTRAR
    from mesh.control.retirement import retire_topic

    with steps() as progress:
        progress.say(f"removing {topic}")
        gone = retire_topic(app.project, Admin(app.endpoint, app.principal(REGISTRAR)), topic)
    if as_json:
        show_json({"removed": gone})
        return
    for each in gone:
        click.echo(f"{each} is removed")
