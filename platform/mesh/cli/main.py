"""The command `mesh`: finds the asked command, and turns errors into one line and a code.

Exit codes: 0 fine, 1 failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from mesh.cli.app import App
from mesh.errors import MeshError, WrongUse
from mesh.settings import load

__all__ = ["main", "mesh"]

# Imported when asked for only: all of them together take two seconds.
COMMANDS = {
    "up": "mesh.cli.lifecycle:up",
    "down": "mesh.cli.lifecycle:down",
    "status": "mesh.cli.status:status",
    "demo": "mesh.cli.demo:demo",
    "new": "mesh.cli.new:new",
    "dump": "mesh.cli.dump:dump",
    "feed": "mesh.cli.feed:feed",
    "read": "mesh.cli.read:read",
    "command": "mesh.cli.command:command",
    "export": "mesh.cli.export:export",
    "spark": "mesh.cli.spark:spark",
    "token": "mesh.cli.read:token",
    "access": "mesh.cli.access:access",
    "pause": "mesh.cli.pause:pause",
    "resume": "mesh.cli.pause:resume",
    "keyring": "mesh.cli.keyring:keyring",
    "audit": "mesh.cli.audit:audit",
    "sql": "mesh.cli.sql:sql",
    "query": "mesh.cli.query:query",
    "run": "mesh.cli.run:run",
    "run-batch": "mesh.cli.run_batch:run_batch",
    "reproduce": "mesh.cli.reproduce:reproduce",
    "replay": "mesh.cli.replay:replay",
    "test": "mesh.cli.test:test",
    "contract": "mesh.cli.contract:contract",
    "product": "mesh.cli.product:product",
    "ladder": "mesh.cli.ladder:ladder",
    "lineage": "mesh.cli.lineage:lineage",
    "impact": "mesh.cli.lineage:impact",
    "legacy": "mesh.cli.legacy:legacy",
    "migrate": "mesh.cli.migrate:migrate",
    "mdm": "mesh.cli.mdm:mdm",
    "erase": "mesh.cli.erase:erase",
    "quarantine": "mesh.cli.quarantine:quarantine",
    "policies": "mesh.cli.policies:policies",
    "register": "mesh.cli.register:register",
    "unregister": "mesh.cli.register:unregister",
    "catalogue": "mesh.cli.catalogue:catalogue",
    "principal": "mesh.cli.principal:principal",
    "topics": "mesh.cli.topics:topics",
    "drill": "mesh.cli.drill:drill",
    "provision": "mesh.cli.topics:provision",
    "retire": "mesh.cli.retire:retire",
    "secrets": "mesh.cli.secrets:secrets",
    "serve": "mesh.cli.run:serve",
    "supervise": "mesh.cli.lifecycle:supervise",
}
HIDDEN = {"serve", "supervise"}


def laid_out(command: click.Command) -> click.Command:
    """*command* and those in it, with examples that stay a line each.

    A backspace has click keep the lines behind it; in a raw docstring it is two characters.
    """
    if command.help is not None:
        command.help = command.help.replace("\\b\n", "\b\n")
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        laid_out(each)
    return command


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        laid_out(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a first day."""
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        return laid_out(getattr(importlib.import_module(module), name))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reference-data-mesh", prog_name="mesh")
@click.pass_context
def mesh(ctx: click.Context) -> None:
    r"""A reference data mesh: data products that meet on Kafka, checked by contract.

    \b
    Example:
      mesh up
      mesh feed call-center --calls 1000
      mesh read calls --limit 5
      mesh down

    Settings are environment variables with the prefix MESH_ (docs/settings.md).
    """
    ctx.obj = App()


def main() -> None:
    """Run the command line of this process."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What `nohup` has us ignore stays ignored.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end_by_signal)
    try:
        refuse_other_than_text(sys.argv[1:])
        mesh(standalone_mode=False, prog_name="mesh")
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        interrupted()
    except MeshError as error:
        click.echo(f"mesh: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # How DuckDB passes on a Ctrl-C that came while it was busy.
        if str(error) == "Query interrupted":
            interrupted()
        show_fault(error)
        sys.exit(1)


def refuse_other_than_text(arguments: Sequence[str]) -> None:
    """Raise `WrongUse` for bytes that are no text: Python hands them on as half characters."""
    for place, each in enumerate(arguments, 1):
        try:
            each.encode()
        except UnicodeEncodeError as error:
            raise WrongUse(
                f"argument {place} is not UTF-8: set your terminal to UTF-8, and type it again"
            ) from error


def interrupted() -> NoReturn:
    """End after Ctrl-C."""
    click.echo("interrupted", err=True)
    sys.exit(130)


def end_by_signal(number: int, frame: object) -> NoReturn:
    """End as after Ctrl-C, so that what a command has begun is undone."""
    sys.exit(128 + number)


def show_fault(error: Exception) -> None:
    """One line for a fault of ours, and where the traceback is: shown at MESH_DEBUG, else kept."""
    import traceback

    trace = "".join(traceback.format_exception(error))
    where = "set MESH_DEBUG=1 to see the traceback"
    try:
        settings = load()
        if settings.debug:
            click.echo(trace, err=True, nl=False)
            where = "the traceback is above"
        else:
            path = settings.home_path / "logs" / "faults.log"
            with path.open("a") as file:
                file.write(trace)
            where = f"the traceback is in {path}"
    except (OSError, MeshError):
        pass  # No folder to keep it in, or the settings are what is wrong.
    text = " ".join(str(error).split())
    click.echo(
        f"mesh: a fault of the mesh itself, {type(error).__name__}: {text} ({where})", err=True
    )
