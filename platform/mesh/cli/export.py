"""`mesh export`: a port as a Parquet file that says for which offsets it is true."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesh.batch.whole import place_of
from mesh.cli.app import App
from mesh.cli.audit_ask import all_logs
from mesh.cli.doors import content
from mesh.cli.output import show_json, steps
from mesh.cli.read import AS, find_port, get_token, reader
from mesh.contract.audit import AUDIT_SERVICE
from mesh.contract.model import Contract
from mesh.errors import MeshError, SettingsError, WrongUse

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh.batch.export import Exported, Places
    from mesh.batch.topic import Reading

__all__ = ["as_document", "export", "exported", "free_path", "rows_then"]

AUDIT_LOG = "change audit log"
TOLD = 10_000


@click.command()
@click.argument("port")
@click.option("--at", help="The next offset of each partition, as 0:120,1:95 [now].")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              help="Write to this file [PORT.parquet].")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@AS
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def export(
    app: App,
    port: str,
    *,
    at: str | None,
    out: Path | None,
    force: bool,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Write all rows of PORT to a Parquet file, with the offsets that they are true for.

    Read from the port's topic, as a principal that was granted it. A state port at earlier
    offsets comes from the change audit log, since its topic does not keep what was replaced.

    \b
    Example:
      mesh export calls
      mesh export contracts --at 0:120,1:95,2:0,3:7 --out contracts-then.parquet
    """
    contract = find_port(app.project, port)
    path = free_path(out or Path(f"{contract.id}.parquet"), is_forced=force)
    found = exported(app, contract, path, at=at, principal=principal or reader(app, contract))
    if as_json:
        show_json(as_document(found))
        return
    places = found.about.offsets[contract.topic].items()
    shown = ",".join(f"{partition}:{offset}" for partition, offset in places)
    click.echo(
        f"{path}: {found.rows} rows of {contract.id} at {shown}, by the {found.about.source}"
    )


def free_path(path: Path, *, is_forced: bool) -> Path:
    """*path*, if a file may be written there. Raises `WrongUse` where one is, or no file."""
    place = place_of(path)
    if path.exists() and not is_forced:
        raise WrongUse(f"{path} is there: give another with --out, or --force to replace it")
    if not place.parent.is_dir():
        raise SettingsError(f"{path} cannot be written: there is no such folder")
    return path


def exported(
    app: App, contract: Contract, path: Path, *, at: str | None, principal: str
) -> Exported:
    """Write the rows of a port at offsets, or now, to *path*, as *principal*."""
    from mesh.backbone.registry import Registry
    from mesh.batch.export import Exported, about_of, is_at_end, offsets_in
    from mesh.batch.export import export as from_topic
    from mesh.batch.parquet import write
    from mesh.batch.topic import Reading

    if not contract.is_streamed:
        raise WrongUse(
            f"{contract.id} is a batch port already: `mesh read {contract.id} --all --out {path}`"
        )
    reading = Reading(app.endpoint, app.principal(principal), contract.topic)
    with closing(reading), Registry(app.endpoint) as registry, steps() as progress:
        places = None if at is None else offsets_in(at, reading)
        if places and contract.kind == "state" and not is_at_end(places, reading):
            rows = rows_then(app, contract, reading, places, principal)
            about = about_of(contract, reading, places, source=AUDIT_LOG)
            count = write(path, rows.schema, [rows], about.metadata())
            return Exported(path=path, rows=count, about=about)

        def tell(count: int) -> None:
            if count >= TOLD:
                progress.say(f"{count // TOLD * TOLD:,} messages of {contract.topic}")

        schema_of = registry.schema
        return from_topic(contract, reading, path, schema_of=schema_of, at=places, report=tell)


def rows_then(
    app: App, contract: Contract, reading: Reading, at: Places, principal: str
) -> pa.Table:
    """The rows of a state port before *at*, from the change audit log, in order of the key."""
    import pyarrow as pa

    from mesh.batch.export import sorted_rows

    check_log(app, reading, at)
    moment = ",".join(f"{partition}:{offset}" for partition, offset in sorted(at.items()))
    url = f"{app.address(AUDIT_SERVICE)}/state/{contract.id}"
    token = get_token(app, principal, AUDIT_SERVICE)
    data = content(url, token, {"at": moment, "format": "arrow"})
    return sorted_rows(contract, pa.ipc.open_stream(data).read_all())


def check_log(app: App, reading: Reading, at: Places) -> None:
    """Raise `MeshError` where the log has not all of the topic before *at*."""
    from mesh.audit.origin import id_text

    found: dict[int, Mapping[str, Any]] = {
        each["partition"]: each
        for each in all_logs(app)
        if (each["topic"], each["topic_id"]) == (reading.topic, id_text(reading.id))
    }
    for partition, offset in at.items():
        log = found.get(partition)
        place = f"{reading.topic} [{partition}]"
        if log is None or (log["lag"] and (log["last_offset"] or 0) < offset - 1):
            raise MeshError(f"the change audit log of {place} has not come to {offset}: try again")
        if log["missed"]:
            raise MeshError(
                f"the change audit log of {place} could not see {log['missed']} offsets, so what "
                "was there then is not known: leave --at out"
            )


def as_document(found: Exported) -> Mapping[str, object]:
    """What was written, as JSON."""
    about = found.about
    return {
        "file": str(found.path),
        "rows": found.rows,
        "bytes": found.path.stat().st_size,
        "port": about.port,
        "version": about.version,
        "kind": about.kind,
        "topic": about.topic,
        "topic_id": about.topic_id,
        "schema_ids": list(about.schema_ids),
        "offsets": about.offsets,
        "begins": about.begins,
        "source": about.source,
    }
