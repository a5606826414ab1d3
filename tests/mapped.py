"""What the tests of mappings share: a contract with a field of every kind, and a short way in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from mesh.contract.model import Contract, Field
from mesh.contract.types import parse_type
from mesh.errors import InvalidFile
from mesh.product.mapping import Mapping, load_mapping, read_file

__all__ = ["faults_of", "mapping_of", "notes_contract", "read", "read_notes"]

NOTES = {
    "id": {"logicalType": "string", "primaryKey": True},
    "note": {"logicalType": "string"},
    "code": {"logicalType": "string"},
    "count": {"logicalType": "integer"},
    "small": {"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}},
    "price": {"logicalType": "number", "physicalType": "decimal(6,2)"},
    "share": {"logicalType": "number"},
    "is_open": {"logicalType": "boolean"},
    "day": {"logicalType": "date"},
    "at": {"logicalType": "timestamp"},
    "ref": {"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}},
    "tags": {"logicalType": "array", "items": {"logicalType": "string"}},
}


def notes_contract(**required: bool) -> Contract:
    """A contract with a field of every kind."""
    fields = tuple(
        Field(
            name=name,
            type=parse_type(given),
            is_required=required.get(name, name == "id"),
            key_position=1 if name == "id" else 0,
        )
        for name, given in NOTES.items()
    )
    return Contract(
        id="sample.notes", version="1.0.0", name="Notes", domain="sample", product="sample",
        description="", topic="priv.sample.sample.notes.v1", kind="event", fields=fields, rules=(),
        partitions=1, retention_ms=None, purpose=None, access="auto", path=Path("notes.yaml"),
        document={},
    )  # fmt: skip


def mapping_of(folder: Path, text: str, contract: Contract) -> Mapping:
    path = folder / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path, contract)


def read(path: Path, mapping: Mapping, contract: Contract, batch_rows: int = 20_000):
    """All rows and all bad lines of a file."""
    batches = list(read_file(path, mapping, contract, batch_rows=batch_rows))
    bad = [line for batch in batches for line in batch.bad]
    tables = [batch.table for batch in batches]
    return (pa.concat_tables(tables).to_pylist() if tables else []), bad


def read_notes(folder: Path, data: bytes | str, fields: str, file: str = "{}"):
    """Rows and bad lines of *data*, of which *fields* (in YAML) become a note."""
    contract = notes_contract()
    mapping = mapping_of(folder, f"file: {file}\nfields: {fields}\n", contract)
    path = folder / "notes.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read(path, mapping, contract)


def faults_of(folder: Path, text: str, contract: Contract) -> list[str]:
    with pytest.raises(InvalidFile) as found:
        mapping_of(folder, text, contract)
    return [f"{fault.line}: {fault.problem} ({fault.remedy})" for fault in found.value.faults]
