"""`mesh feed`: what an operational system sends, simulated or from a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.landing import by_day, land, show_landed
from mesh.cli.output import show_json, steps
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.contract.model import Contract, InputPort
    from mesh.product.feed import Fed, Feed
    from mesh.product.mapping import BadLine, FileBatch

    # What arrives at once, by input port.
    Batch = Mapping[str, FileBatch]

__all__ = ["Account", "feed", "feed_product"]


@click.command()
@click.argument("product")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, dir_okay=False),
    help="How the columns of FILE become fields (docs/mappings.md).",
)
@click.option("--port", help="Which input port FILE goes to, where a system writes more than one.")
@click.option(
    "--records",
    "--calls",
    "count",
    type=click.IntRange(1, 100_000_000),
    help="How many records the simulated system sends; by default 1000 calls, or what the system"
    " of another product writes in some months.",
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
    port: str | None,
    count: int | None,
    seed: int,
    as_json: bool,
) -> None:
    r"""Feed PRODUCT as its operational system does: from FILE, or from the simulated company.

    Each record is sent exactly once: the same feed again adds nothing. Lines that cannot be
    used are counted, kept beside the ledger and explained. A batch product that is published by
    day is fed by files, which land in a folder of its own until it runs.

    \b
    Example:
      mesh feed call-center --calls 1000
      mesh feed contracts --records 20000
      mesh feed call-center calls.csv --mapping mapping.yaml
      mesh feed network-usage --records 100000
    """
    if (file is None) != (mapping is None):
        raise WrongUse("a file needs a mapping, and a mapping a file: give FILE and --mapping")
    if file is None and port is not None:
        raise WrongUse("--port says where a FILE goes: give one, or leave --port out")
    if file is None and by_day(app, product) is not None:
        show_landed(land(app, product, seed, count), as_json)
        return
    show(feed_product(app, product, source=(file, mapping, port), world=(seed, count)), as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was fed to one input port; *kept* is where the bad lines are."""

    port: str
    fed: Fed
    kept: Path

    def document(self) -> dict[str, object]:
        """The account as JSON has it."""
        fed = self.fed
        return {
            "count_read": fed.count_read,
            "count_new": fed.count_new,
            "count_known": fed.count_known,
            "count_bad": fed.count_bad,
            "reasons": dict(fed.reasons),
            "bad_lines": str(self.kept) if fed.count_bad else None,
        }

    def line(self) -> str:
        """The account in words."""
        fed = self.fed
        return (
            f"{fed.count_read:,} read: {fed.count_new:,} new, {fed.count_known:,} fed before, "
            f"{fed.count_bad:,} bad"
        )


def show(accounts: Sequence[Account], as_json: bool) -> None:
    """Print the accounts of a feed: one of all, and where there are several, one a port."""
    whole = total(accounts)
    if as_json:
        show_json({**whole.document(), "ports": {each.port: each.document() for each in accounts}})
        return
    click.echo(whole.line())
    if len(accounts) > 1:
        for each in accounts:
            click.echo(f"  {each.port}: {each.line()}")
    for reason, times in whole.fed.reasons.most_common(10):
        click.echo(f"  {times:,} times: {reason}")
    for each in accounts:
        if each.fed.count_bad:
            click.echo(f"the bad lines are kept in {each.kept}")


def total(accounts: Sequence[Account]) -> Account:
    """The sum of *accounts*; the bad lines are where the first port that has some keeps them."""
    from mesh.product.feed import Fed

    whole = Fed()
    for each in accounts:
        whole.add(each.fed)
    first = next((each for each in accounts if each.fed.count_bad), accounts[0])
    return Account(port="", fed=whole, kept=first.kept)


def feed_product(
    app: App,
    product: str,
    *,
    source: tuple[Path | None, Path | None, str | None] = (None, None, None),
    world: tuple[int, int | None],
) -> list[Account]:
    """Feed a product from a file with its mapping to a port, or from a world (seed, count)."""
    from mesh.product.feed import Fed

    file, mapping, name = source
    ports = staging_ports(app, product)
    if file is not None and mapping is not None:
        port = one_port(ports, product, name)
        batches, count = file_batches(app.project.input_contract(port), port, file, mapping), 0
        ports = [port]
    else:
        batches, count = world_batches(product, *world)
    with ExitStack() as stack:
        progress = stack.enter_context(steps())
        progress.say("opening the ledger")
        feeds = {port.name: stack.enter_context(opened(app, port)) for port in ports}
        kept = {port.name: bad_file(app, port, file) for port in ports}
        keepers = {port: keeper(path) for port, path in kept.items()}
        accounts = [Account(port=port, fed=Fed(), kept=path) for port, path in kept.items()]
        by_port = {each.port: each.fed for each in accounts}
        for batch in batches:
            for to, rows in batch.items():
                for fed in feeds[to].run([rows], keepers[to]):
                    by_port[to].add(fed)
            read = sum(each.fed.count_read for each in accounts)
            progress.say(f"fed {read:,}" + (f" of {count:,}" if count else ""))
    return accounts


@contextmanager
def opened(app: App, port: InputPort) -> Iterator[Feed]:
    """The feed of one input port."""
    from mesh.product.feed import Feed

    contract = app.project.input_contract(port)
    folder, principal = app.home.feed(contract.id), app.principal(str(port.system))
    with closing(Feed(contract, folder, endpoint=app.endpoint, principal=principal)) as feed:
        yield feed


def bad_file(app: App, port: InputPort, file: Path | None) -> Path:
    """Where the bad lines of a port are kept."""
    folder = app.home.feed(app.project.input_contract(port).id)
    return folder / "bad" / f"{file.name if file else 'simulated'}.bad.csv"


def staging_ports(app: App, product: str) -> list[InputPort]:
    """The input ports that operational systems write."""
    ports = [each for each in app.project.product(product).inputs if each.system is not None]
    if not ports:
        raise WrongUse(f"{product} has no input port that a system feeds")
    return ports


def one_port(ports: Sequence[InputPort], product: str, name: str | None) -> InputPort:
    """The port that a file goes to."""
    chosen = [each for each in ports if name in (None, each.name)]
    if len(chosen) != 1:
        names = ", ".join(each.name for each in ports)
        raise WrongUse(f"say which input port of {product} the file goes to, by --port: {names}")
    return chosen[0]


def file_batches(contract: Contract, port: InputPort, file: Path, mapping: Path) -> Iterator[Batch]:
    """A file's lines."""
    from mesh.product.mapping import load_mapping, read_file

    for batch in read_file(file, load_mapping(mapping, contract), contract):
        yield {port.name: batch}


def world_batches(product: str, seed: int, count: int | None) -> tuple[Iterator[Batch], int]:
    """The records of the simulated system that feeds *product*, and how many they are."""
    from mesh.product.mapping import FileBatch
    from mesh.product.systems import find_systems

    systems = find_systems()
    if product not in systems:
        raise WrongUse(f"no simulated system feeds {product}: give a FILE and its --mapping")
    system = systems[product]
    count = count or system.usual_count
    batches = (
        {port: FileBatch(table=table, bad=()) for port, table in tables.items()}
        for tables in system.batches(seed, count)
    )
    return batches, count


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
