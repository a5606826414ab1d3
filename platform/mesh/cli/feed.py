"""`mesh feed`: what an operational system sends, simulated or from a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, steps
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.contract.model import Contract, InputPort
    from mesh.product.feed import Fed
    from mesh.product.mapping import BadLine, FileBatch

__all__ = ["feed", "feed_product"]


@click.command()
@click.argument("product")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, dir_okay=False),
    help="How the columns of FILE become fields (docs/mappings.md).",
)
@click.option(
    "--calls",
    "count",
    type=click.IntRange(1, 100_000_000),
    default=1000,
    show_default=True,
    help="How many records the simulated system sends.",
)
@click.option("--seed", default=7, show_default=True, help="Which simulated world.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def feed(
    app: App,
    product: str,
    file: Path | None,
    *,
    mapping: Path | None,
    count: int,
    seed: int,
    as_json: bool,
) -> None:
    r"""Feed PRODUCT as its operational system does: from FILE, or from the simulated company.

    Each record is sent exactly once: the same feed again adds nothing. Lines that cannot be
    used are counted, kept beside the ledger and explained.

    \b
    Example:
      mesh feed call-center --calls 1000
      mesh feed call-center calls.csv --mapping mapping.yaml
    """
    if (file is None) != (mapping is None):
        raise WrongUse("a file needs a mapping, and a mapping a file: give FILE and --mapping")
    fed, kept = feed_product(app, product, source=(file, mapping), world=(seed, count))
    show(fed, kept, as_json=as_json)


def show(fed: Fed, kept: Path, *, as_json: bool) -> None:
    """Print the account of a feed; *kept* is where the bad lines are."""
    if as_json:
        show_json(
            {
                "count_read": fed.count_read,
                "count_new": fed.count_new,
                "count_known": fed.count_known,
                "count_bad": fed.count_bad,
                "reasons": dict(fed.reasons),
                "bad_lines": str(kept) if fed.count_bad else None,
            }
        )
        return
    click.echo(
        f"{fed.count_read:,} read: {fed.count_new:,} new, {fed.count_known:,} fed before, "
        f"{fed.count_bad:,} bad"
    )
    for reason, times in fed.reasons.most_common(10):
        click.echo(f"  {times:,} times: {reason}")
    if fed.count_bad:
        click.echo(f"the bad lines are kept in {kept}")


def feed_product(
    app: App,
    product: str,
    *,
    source: tuple[Path | None, Path | None],
    world: tuple[int, int],
) -> tuple[Fed, Path]:
    """Feed a product from a file with its mapping, or from a world (seed, count)."""
    from mesh.product.feed import Fed, Feed

    port = staging_port(app, product)
    contract = app.project.input_contract(port)
    file, mapping = source
    batches: Iterable[FileBatch]
    if file is not None and mapping is not None:
        batches, total = file_batches(contract, file, mapping)
    else:
        batches, total = world_batches(product, *world), world[1]
    folder = app.home.feed(contract.id)
    kept = folder / "bad" / f"{file.name if file else 'simulated'}.bad.csv"
    system = app.principal(str(port.system))
    fed = Fed()
    with steps() as progress:
        progress.say("opening the ledger")
        session = Feed(contract, folder, endpoint=app.endpoint, principal=system)
        try:
            for fed in session.run(batches, keeper(kept)):
                progress.say(f"fed {fed.count_read:,}" + (f" of {total:,}" if total else ""))
        finally:
            session.close()
    return fed, kept


def staging_port(app: App, product: str) -> InputPort:
    """The input port that an operational system writes."""
    ports = [each for each in app.project.product(product).inputs if each.system is not None]
    if len(ports) != 1:
        raise WrongUse(f"{product} has {len(ports)} input ports that a system feeds, not one")
    return ports[0]


def file_batches(contract: Contract, file: Path, mapping: Path) -> tuple[Iterator[FileBatch], int]:
    """A file's lines; how many there are is not known before."""
    from mesh.product.mapping import load_mapping, read_file

    return read_file(file, load_mapping(mapping, contract), contract), 0


def world_batches(product: str, seed: int, count: int) -> Iterator[FileBatch]:
    """The records of the simulated system that feeds *product*."""
    from mesh.product.mapping import FileBatch
    from mesh.product.systems import find_systems

    systems = find_systems()
    if product not in systems:
        raise WrongUse(f"no simulated system feeds {product}: give a FILE and its --mapping")
    for table in systems[product].batches(seed, count):
        yield FileBatch(table=table, bad=())


def keeper(path: Path) -> Callable[[Sequence[BadLine]], None]:
    """A place for bad lines, in place of an earlier feed's; to be made once the ledger is ours."""
    path.unlink(missing_ok=True)

    def keep(lines: Sequence[BadLine]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(("line", "reason", "raw"))
            writer.writerows((each.line, each.reason, each.raw) for each in lines)

    return keep
