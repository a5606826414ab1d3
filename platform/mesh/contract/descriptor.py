"""A product's descriptor as one message: its ODPS document, its contracts and its SQL, as text.

However it was written (YAML or JSON, in whatever order), `canonical` gives the same bytes for
the same promise. Not here: whether it is good (`odps`, `policies`), and who accepts it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mesh.contract.faults import Fault
from mesh.contract.names import is_kebab, to_snake
from mesh.contract.odps import DESCRIPTOR
from mesh.contract.yamlfile import parse_yaml
from mesh.errors import InvalidFile

__all__ = [
    "MAX_BYTES",
    "Descriptor",
    "canonical",
    "descriptor_in",
    "digest_of",
    "from_canonical",
    "materialise",
]

# What Kafka takes as one message by its own settings is 1 MiB, headers and all.
MAX_BYTES = 900_000
MAX_PORTS = 100
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)")
_LINE_ENDS = re.compile("[\x7f-\xa0\u2028\u2029\ufeff]")
_SQL_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}(?:\.[a-z0-9_]{1,62}){0,2}\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a product says of itself: *product* and *contracts* are YAML or JSON text.

    *sql* has the text of each file by its name, and nothing where it has another runtime.
    """

    id: str
    product: str
    contracts: tuple[str, ...]
    sql: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def descriptor_in(folder: Path) -> Descriptor:
    """The descriptor that the files in *folder* make. Raises `InvalidFile`."""
    product = _text(folder / DESCRIPTOR)
    found = parse_yaml(product.encode(), folder / DESCRIPTOR)
    return Descriptor(
        id=found.root["id"].text,
        product=product,
        contracts=tuple(_text(each) for each in sorted((folder / "contracts").glob("*.y*ml"))),
        sql={each.name: _text(each) for each in sorted(folder.glob("*.sql"))},
    )


def canonical(descriptor: Descriptor) -> str:
    """The one text of *descriptor*: JSON with sorted keys, contracts by id.

    Raises `InvalidFile` where one of its documents is none, or all of it is too large.
    """
    if max(len(descriptor.contracts), len(descriptor.sql)) > MAX_PORTS:
        raise _refused(DESCRIPTOR, f"more than {MAX_PORTS} contracts or files", "split the product")
    contracts = [_parsed(text, f"contracts/{n}") for n, text in enumerate(descriptor.contracts)]
    document = {
        "product": _parsed(descriptor.product, DESCRIPTOR),
        "contracts": sorted(contracts, key=lambda each: (str(each.get("id")), _json(each))),
        "sql": dict(descriptor.sql),
    }
    try:
        text = _json(document)
        size = len(text.encode())
    except ValueError as error:
        raise _refused(DESCRIPTOR, "text that is not Unicode", "send it as UTF-8") from error
    if size > MAX_BYTES:
        raise _refused(DESCRIPTOR, f"the whole is larger than {MAX_BYTES:,} bytes", "split it")
    return text


def from_canonical(id_: str, text: str) -> Descriptor:
    """The descriptor whose canonical text is *text*."""
    document = json.loads(text)
    return Descriptor(
        id=id_,
        product=_json(document["product"]),
        contracts=tuple(_json(each) for each in document["contracts"]),
        sql=document["sql"],
    )


def digest_of(text: str) -> str:
    """The SHA-256 of a canonical text."""
    return hashlib.sha256(text.encode()).hexdigest()


def materialise(descriptor: Descriptor, root: Path) -> Path:
    """Write *descriptor* as the files of a product below *root*; its folder.

    No name that it brings becomes a path unless it is plain. Raises `InvalidFile`.
    """
    if not is_kebab(descriptor.id):
        raise _refused(DESCRIPTOR, "the id is not in kebab-case", "write it as call-center")
    folder = root / to_snake(descriptor.id)
    (folder / "contracts").mkdir(parents=True)
    _write(folder / DESCRIPTOR, descriptor.product)
    for number, text in enumerate(descriptor.contracts):
        path = folder / "contracts" / f"contract_{number}.odcs.yaml"
        named = path.with_name(_contract_name(text, path))
        _write(path if named.exists() else named, text)
    for name, text in descriptor.sql.items():
        if not _SQL_NAME.fullmatch(name):
            raise _refused(
                "sql", f"{name[:80]!r} is no name of an SQL file", "write it as calls.sql"
            )
        _write(folder / name, text)
    return folder


def _contract_name(text: str, path: Path) -> str:
    """How the loader wants the file of a contract to be called, as far as its id is plain."""
    try:
        port = parse_yaml(text.encode(), path).root["id"].text.partition(".")[2]
    except InvalidFile:
        return path.name  # the loader says what is wrong
    is_plain = re.fullmatch(r"[a-z][a-z0-9-]{0,62}(?:\.v[0-9]{1,6})?", port)
    return f"{to_snake(port)}.odcs.yaml" if is_plain else path.name


def _write(path: Path, text: str) -> None:
    try:
        path.write_bytes(_plain(text).encode())
    except UnicodeEncodeError as error:
        raise _refused(path.name, "not Unicode text", "send it as UTF-8") from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _refused(path, "there is no such file", "name the folder of a product") from error
    except UnicodeDecodeError as error:
        raise _refused(path, "not UTF-8 text", "save the file as UTF-8") from error
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}", "check its mode") from error


def _parsed(text: str, name: str) -> dict[str, object]:
    try:
        return parse_yaml(_plain(text).encode(), Path(name)).document
    except UnicodeEncodeError as error:
        raise _refused(name, "not Unicode text", "send it as UTF-8") from error


def _plain(text: str) -> str:
    """JSON may write one character as two escapes, which YAML takes for two halves of nothing."""
    if not text.lstrip().startswith("{"):
        return text

    def joined(found: re.Match[str]) -> str:
        pair = bytes.fromhex(found[2] + found[3])
        return found[1] + pair.decode("utf-16-be")

    try:
        return _PAIR.sub(joined, text)
    except ValueError:
        return text  # no hexadecimal digits: the reader says so


def _json(value: object) -> str:
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    # JSON lets them stand as they are, YAML takes them for ends of lines.
    return _LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _refused(place: str | Path, problem: str, remedy: str) -> InvalidFile:
    path = Path(place)
    fault = Fault(path=path, line=0, problem=problem, remedy=remedy, rule="descriptor")
    return InvalidFile([fault])
