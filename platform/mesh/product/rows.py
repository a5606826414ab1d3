"""The rows that messages of a port are, for whoever reads it and has nothing to reject.

Not here: an input port, which checks rows and sets aside what is none (`intake`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from mesh.backbone.avro import Decoder, project
from mesh.backbone.wire import HEADER_BYTES, Unreadable
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.product.payloads import groups_in

__all__ = ["PLACE", "RowReader"]

PLACE = "_place"


class RowReader:
    """Reads messages of the port of *contract*, whose schemas *schema_of* knows by id."""

    def __init__(
        self, contract: Contract, schema_of: Callable[[int], Mapping[str, object] | None]
    ) -> None:
        self._contract, self._schema_of = contract, schema_of
        self._schema = arrow_schema(contract).append(pa.field(PLACE, pa.int64()))
        self._decoders: dict[int, Decoder] = {}

    @property
    def schema_ids(self) -> tuple[int, ...]:
        """The ids of the schemas by which messages were read until now."""
        return tuple(sorted(self._decoders))

    def rows(self, values: pa.Array) -> pa.Table:
        """The rows of those of *values* that are one, with their place among them."""
        tables = [self._schema.empty_table()]
        for group in groups_in(pa.nulls(len(values), pa.binary()), values, {}):
            decoder = self._decoder(group.schema_id)
            if decoder is None:
                continue
            decoded = decoder.decode(group.values, skip=HEADER_BYTES)
            places = group.places[decoded.good] if decoded.bad else group.places
            rows = project(decoded.table, self._contract) if decoded.good else None
            if rows is not None and not isinstance(rows, Unreadable):
                tables.append(rows.append_column(PLACE, pa.array(places, pa.int64())))
        return pa.concat_tables(tables).sort_by(PLACE)

    def _decoder(self, schema_id: int) -> Decoder | None:
        if schema_id not in self._decoders:
            written = self._schema_of(schema_id)
            if written is None:
                return None
            self._decoders[schema_id] = Decoder(written)
        return self._decoders[schema_id]
