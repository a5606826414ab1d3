"""`mesh dump`: a file becomes a raw data product, or the newest delivery of one that is there.

All of it is made in a folder beside the products and moved there when it is whole.
Not here: the command line.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import duckdb

from mesh.contract.model import OutputPort, Product
from mesh.contract.names import is_email, to_snake
from mesh.contract.odps import load_product
from mesh.contract.project import Project, load_project
from mesh.errors import InvalidFile, MeshError, SettingsError, WrongUse
from mesh.product.deliveries import (
    Delivered,
    batch_ports,
    deliveries_of,
    folder_of,
    note_delivery,
)
from mesh.product.delivery import Made, make_rows
from mesh.product.dump_contract import Raw
from mesh.product.dump_files import write_product
from mesh.product.dump_guess import Guessed, guess
from mesh.product.dump_names import refuse_no_names, refuse_taken
from mesh.product.dump_source import Options, Source
from mesh.product.dump_stage import stage

__all__ = ["Dumped", "Wish", "dump"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for: a file, and what its product is called."""

    file: Path
    domain: str
    name: str
    owner: str | None = None
    every_days: int = 7
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumped:
    """What came of it. *guessed* is None where the contract was there already.

    *warning* says why the file may be no table at all.
    """

    product: Product
    port: OutputPort
    delivery: Delivered
    count_deliveries: int
    notes: tuple[str, ...]
    guessed: Guessed | None = None
    warning: str = ""


def dump(
    root: Path, project: Project, wish: Wish, *, report: Callable[[str], None] = lambda _: None
) -> Dumped:
    """Make a product of a file below *root*, or deliver to the one that has this name.

    Raises `WrongUse` for a file or a name that cannot be used, and leaves nothing behind then.
    """
    refuse_no_names(wish.domain, wish.name)
    if wish.owner is not None and not is_email(wish.owner):
        raise WrongUse(f"{wish.owner!r} is no e-mail address")
    product = project.products.get(wish.name)
    if product is not None and product.domain != wish.domain:
        raise WrongUse(f"{product.id} is of the domain {product.domain}, not of {wish.domain}")
    if product is None:
        refuse_taken(root, project, wish.domain, wish.name)
    port = only_batch_port(product) if product is not None else None
    with working(root) as (folder, connection):
        report(f"reading {wish.file}")
        source = stage(connection, wish.file, folder, wish.options)
        if product is None or port is None:
            return first(root, project, wish, source, report)
        digest = refuse_known(product, port, wish.file)
        report(f"checking {source.rows} rows against {port.contract.id}")
        return deliver(product, port, source, digest)


def only_batch_port(product: Product) -> OutputPort:
    """The batch port of a product that is there."""
    ports = batch_ports(product)
    if len(ports) != 1:
        raise WrongUse(
            f"{product.id} is there and has {len(ports) or 'no'} batch ports: give --name another"
        )
    return ports[0]


def refuse_known(product: Product, port: OutputPort, file: Path) -> str:
    """The digest of *file*. Raises `WrongUse` where it was delivered last: that is no news."""
    digest = digest_of(file)
    known = deliveries_of(product, port)
    if known and known[-1].digest == digest:
        raise WrongUse(
            f"{file} is what was delivered at {known[-1].at:%Y-%m-%d %H:%M:%S}Z, byte for byte:"
            " there is nothing new in it"
        )
    return digest


def first(
    root: Path,
    project: Project,
    wish: Wish,
    source: Source,
    report: Callable[[str], None],
) -> Dumped:
    """A product that is not there yet."""
    report(f"looking at {len(source.columns)} columns of {source.rows} rows")
    guessed = guess(source, project.identifiers)
    raw = Raw(
        product=wish.name,
        domain=wish.domain,
        port=wish.name,
        owner=wish.owner or owner_in(project, wish.domain),
        every_days=wish.every_days,
        file=wish.file.name,
    )
    target = root / "products" / to_snake(wish.name)
    made = source.folder / "made" / target.name
    made.mkdir(parents=True)
    write_product(made, raw, guessed)
    product = load_product(made)
    digest = digest_of(wish.file)
    found = deliver(product, only_batch_port(product), source, digest, guessed.styles)
    made.rename(target)
    try:
        product = load_project(root).product(wish.name)
    except MeshError:
        shutil.rmtree(target)
        raise
    return replace(
        found,
        product=product,
        port=only_batch_port(product),
        guessed=guessed,
        warning=doubt(source, target),
    )


def doubt(source: Source, folder: Path) -> str:
    """Why *source* may be no table, if a person did not say how it is one."""
    if source.kind != "csv" or len(source.columns) > 1 or source.options.delimiter is not None:
        return ""
    return (
        f"{source.path} was read as one column, so it may be no table: if it is one, remove"
        f" {folder} and say what separates its columns with --delimiter"
    )


def owner_in(project: Project, domain: str) -> str:
    """Who owns the domain's other products; else an address that the owner must replace."""
    owners = sorted(each.owner for each in project.products.values() if each.domain == domain)
    return owners[0] if owners else f"owner@{domain}.example"


def deliver(
    product: Product,
    port: OutputPort,
    source: Source,
    digest: str,
    styles: Mapping[str, str] = MappingProxyType({}),
) -> Dumped:
    """Make *source* the newest delivery of *port*; its first one is read in *styles*."""
    folder = folder_of(product, port)
    folder.mkdir(parents=True, exist_ok=True)
    ignore = product.folder / "data" / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# Data is delivered, never committed.\n*\n")
    known = deliveries_of(product, port)
    new = Delivered(at=datetime.now(UTC), file=source.path.name, digest=digest, rows=0)
    rows, rejected = folder / ".rows.parquet", folder / f"{new.stem}.rejected.parquet"
    try:
        styles = known[-1].styles if known else styles
        made = make_rows(source, port.contract, styles, rows, rejected)
        new = noted(new, source, made)
        note_delivery(product, port, new, rows)
    except BaseException:
        rejected.unlink(missing_ok=True)
        raise
    finally:
        rows.unlink(missing_ok=True)
    return Dumped(
        product=product,
        port=port,
        delivery=new,
        count_deliveries=len(known) + 1,
        notes=tuple(source.notes),
    )


def noted(new: Delivered, source: Source, made: Made) -> Delivered:
    """The delivery with what came of it."""
    return replace(
        new,
        rows=made.rows,
        rejected=made.rejected,
        styles={name: style for name, style in made.styles.items() if style},
        reading=source.reading,
    )


def digest_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def working(root: Path) -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    """A folder beside the products and a DuckDB in it, for the time of a block."""
    try:
        (root / "products").mkdir(exist_ok=True)
        holder = tempfile.TemporaryDirectory(prefix=".dump-", dir=root / "products")
    except OSError as error:
        raise SettingsError(f"{root / 'products'} cannot be written: {error.strerror}") from error
    with holder as name:
        folder = Path(name)
        with closing(duckdb.connect(folder / "dump.duckdb")) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set autoinstall_known_extensions = false")
            try:
                yield folder, connection
            except OSError as error:
                raise MeshError(f"{folder.parent} cannot be written: {error.strerror}") from error
            except InvalidFile as error:
                raise MeshError(
                    f"the contract that was inferred is not valid, a fault of the mesh: {error}"
                ) from error
