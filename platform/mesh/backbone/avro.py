"""The Avro codec over Arrow batches: `Encoder`, `Decoder` and the reader's projection.

Not here: framing and keys (`wire`), the registry (`registry`), the check of rows
(`mesh.contract.rules`).

    encoder = Encoder(avro_schema(contract))
    values = encoder.encode(table, schema_id=7)
    decoded = Decoder(avro_schema(contract)).decode([value[5:] for value in values])
    rows = project(decoded.table, contract)
"""

from __future__ import annotations

from mesh.backbone.avro_decode import Decoded, Decoder
from mesh.backbone.avro_encode import Encoder
from mesh.backbone.avro_project import project

__all__ = ["Decoded", "Decoder", "Encoder", "project"]
