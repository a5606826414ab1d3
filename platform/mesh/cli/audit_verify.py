"""`mesh audit verify` and `consistency`: check what was taken away, with nothing but a key.

Not here: `verify --live`, which compares what a mesh has (`audit_live`).
"""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, show_table
from mesh.errors import Unproven, WrongUse

if TYPE_CHECKING:
    from mesh.audit.checkpoint import Checkpoint
    from mesh.audit.note import LogKey
    from mesh.audit.proof import Proven

__all__ = ["consistency", "verify"]

TRUSTED = "The key that is trusted, of a log or of a mesh, or a file that holds it."
KEY = click.option("--log-key", "key_text", required=True, metavar="KEY", help=TRUSTED)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("bundle", type=FILE, required=False)
@click.option("--log-key", "key_text", metavar="KEY", help=TRUSTED)
@click.option("--live", is_flag=True, help="Verify the running mesh, and no bundle.")
@click.option(
    "--checkpoints",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="With --live: a folder of checkpoints that you kept.",
)
@JSON
@click.pass_obj
def verify(
    app: App,
    bundle: Path | None,
    *,
    key_text: str | None,
    live: bool,
    checkpoints: Path | None,
    as_json: bool,
) -> None:
    r"""Check a proof, BUNDLE, as `mesh audit prove` wrote it, without a mesh; or a whole mesh.

    Nothing is trusted but the key. Ends with 0 if all of it holds, else with 1 and the reason.

    With --live everything that was logged is computed anew, and compared with the topics and with
    the rows that the products' doors give: what is missing, altered or foreign is named. Without a
    key the service's own is taken.

    \b
    Example:
      mesh audit verify call.tlog-proof --log-key mesh.key
      mesh audit verify call.tlog-proof --log-key "$(mesh audit key)"
      mesh audit verify --live --log-key mesh.key --checkpoints kept
    """
    if live == (bundle is not None) or (checkpoints is not None and not live):
        raise WrongUse("say a BUNDLE, or --live, perhaps with --checkpoints FOLDER")
    if live:
        from mesh.cli.audit_live import verify_live

        sys.exit(0 if verify_live(app, key_text, checkpoints, as_json=as_json) else 1)
    if bundle is None or key_text is None:
        raise WrongUse("say with --log-key which key you trust")
    verify_bundle(bundle, key_text, as_json=as_json)


def verify_bundle(bundle: Path, key_text: str, *, as_json: bool) -> None:
    """Check a proof, and show what it proves."""
    from mesh.audit.proof import verified

    found = verified(text_of(bundle), key_of(key_text))
    if as_json:
        show_json(document_of(found))
        return
    entry, log = found.entry, found.log
    at = f"{datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    click.echo(
        f"proven: offset {entry.offset} of {log.topic} [{log.partition}], written at {at} UTC, "
        f"is entry {found.index} of {found.size}"
    )
    if found.message is None:
        click.echo("its message is not in the proof: it was erased, withheld or left out")
        return
    key, value = found.message.key, found.message.value
    rows = [(name, shown(data)) for name, data in found.message.headers]
    show_table(("part", "content"), [*rows, ("key", shown(key)), ("value", sized(value))])


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE, required=False)
@KEY
@JSON
@click.pass_obj
def consistency(app: App, old: Path, new: Path | None, *, key_text: str, as_json: bool) -> None:
    r"""Check that a log only grew from the checkpoint OLD to NEW, or to the newest one.

    The mesh hands out the proof; whether it holds is decided here, with the key alone.

    \b
    Example:
      mesh audit consistency calls-0.checkpoint --log-key mesh.key
      mesh audit consistency calls-0.checkpoint later.checkpoint --log-key mesh.key
    """
    from mesh.audit.checkpoint import Checkpoint

    key = key_of(key_text)
    first = Checkpoint.opened(text_of(old), key)
    second = Checkpoint.opened(newest(app, first) if new is None else text_of(new), key)
    check_consistent(app, first, second)
    if as_json:
        show_json({"ok": True, "origin": first.origin, "old": first.size, "new": second.size})
    else:
        click.echo(f"consistent: the log of {first.size} entries is the beginning of {second.size}")


def newest(app: App, first: Checkpoint) -> str:
    """The newest checkpoint of the log that *first* is of."""
    from mesh.audit.origin import LogName
    from mesh.cli.audit_ask import text_at

    return text_at(app, f"/logs/{LogName.parse(first.origin).path}/checkpoint")


def check_consistent(app: App, first: Checkpoint, second: Checkpoint) -> None:
    """Raise `Unproven` where the second is not the first, grown."""
    from mesh.audit.merkle import is_consistent
    from mesh.audit.note import unbase64
    from mesh.audit.origin import LogName
    from mesh.cli.doors import answer
    from mesh.contract.audit import AUDIT_SERVICE

    if first.origin != second.origin:
        raise Unproven(f"the checkpoints are of two logs: {first.origin} and {second.origin}")
    if first.size > second.size:
        raise Unproven(
            f"the log had {first.size} entries and has {second.size}: its tail was dropped"
        )
    if first.size == 0:
        raise WrongUse("the old checkpoint is of an empty log, with which every log begins")
    proof: list[bytes] = []
    if first.size < second.size:
        path = f"/logs/{LogName.parse(first.origin).path}/consistency/{first.size}/{second.size}"
        document = answer("GET", f"{app.address(AUDIT_SERVICE)}{path}")
        hashes = document.get("proof")
        texts = hashes if isinstance(hashes, list) else []
        proof = [unbase64(str(each)) or b"" for each in texts]
    if not is_consistent(
        first.size, second.size, proof=proof, old_root=first.root, new_root=second.root
    ):
        raise Unproven(
            f"the log was forked: {second.size} entries do not begin with the {first.size} that "
            "were signed for"
        )


def key_of(text: str) -> LogKey:
    """The key in *text*, or in the file that it names."""
    from mesh.audit.note import LogKey

    path = Path(text)
    is_file = "+" not in text and path.is_file()
    return LogKey.parse(text_of(path) if is_file else text)


def text_of(path: Path) -> str:
    """The text of a file from outside. Raises `Unproven` where it is none."""
    from mesh.audit.proof import LARGEST

    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unproven(f"{path} cannot be read: {error}") from error


def document_of(found: Proven) -> dict[str, object]:
    """What was proven, as JSON; bytes in base64."""
    entry, message = found.entry, found.message
    return {
        "ok": True,
        "origin": str(found.log),
        "topic": found.log.topic,
        "partition": entry.partition,
        "offset": entry.offset,
        "timestamp_ms": entry.timestamp_ms,
        "kind": entry.kind,
        "index": found.index,
        "size": found.size,
        "message": message
        and {
            "headers": [[name, encoded(data)] for name, data in message.headers],
            "key": encoded(message.key),
            "value": encoded(message.value),
        },
    }


def encoded(data: bytes | None) -> str | None:
    """Bytes in base64."""
    return None if data is None else base64.b64encode(data).decode()


def shown(data: bytes | None) -> str:
    """Bytes as text where they are one, else in hexadecimal digits."""
    if data is None:
        return ""
    try:
        return printable(data.decode())
    except UnicodeDecodeError:
        return data.hex()


def sized(data: bytes | None) -> str:
    """How large a value is."""
    return "none: it deletes the row" if data is None else f"{len(data)} bytes"
