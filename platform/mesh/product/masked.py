"""The rows of a masked port: what another port's SQL gives, with fields hashed, masked, left out.

    with_masks(key, connection)      # before any query of such a port runs there
    masked_sql(contract, sql)        # SQL over the other port's SQL

So a masked port is a port as any: it has its batches, tombstones, recovery and replay from there.
A hash is HMAC-SHA-256 (RFC 2104) of the value as text, by a key of the mesh: 32 hexadecimal
digits of 64. Not here: the contract (`mesh.contract.masking`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import duckdb

from mesh.contract.masking import mask_of
from mesh.contract.model import Contract, Field
from mesh.contract.types import duckdb_type
from mesh.product.duck import quoted
from mesh.product.state_query import StateQuery

__all__ = ["MASK", "TEST_KEY", "is_hashed", "masked_sql", "masked_state", "with_masks"]

HASH, MASK = "mesh_hash", "***"
BLOCK_BYTES, DIGITS = 64, 32
# Of cases, so that a file can say what comes of it.
TEST_KEY = b"mesh test"


def with_masks(key: bytes | None, *connections: duckdb.DuckDBPyConnection) -> None:
    """Have *connections*, and no others, hash by *key*; as DuckDB's own macro, in no file.

    Without a key nothing is done, and what needs it fails.
    """
    if key is None:
        return
    short = key if len(key) <= BLOCK_BYTES else hashlib.sha256(key).digest()
    padded = short.ljust(BLOCK_BYTES, b"\0")
    inner, outer = (bytes(each ^ pad for each in padded).hex() for pad in (0x36, 0x5C))
    for each in connections:
        each.execute(
            f"create or replace temp macro {HASH}(x) as left(sha256(from_hex('{outer}') ||"
            f" from_hex(sha256(from_hex('{inner}') || encode(x)))), {DIGITS})"
        )


def is_hashed(contract: Contract) -> bool:
    """Whether rows of *contract* need the key."""
    return contract.masked_from is not None and any(e.masked == "hash" for e in contract.fields)


def masked_sql(contract: Contract, sql: str, beside: Sequence[str] = ()) -> str:
    """SQL: the rows of a masked port, from the *sql* of the other; columns *beside* stay."""
    first = {each.name: each for each in (contract.masked_from or contract).fields}
    fields = [f"{masked(first[e.name])} as {quoted(e.name)}" for e in contract.fields]
    return f"select {', '.join([*fields, *beside])} from ({sql}\n) _made"


def masked_state(contract: Contract, query: StateQuery, key: bytes) -> StateQuery:
    """The query of a masked state port, from that of the other; another *key*, another query.

    With a key that is hashed, nothing can be narrowed to the touched rows of an input.
    """
    sql = masked_sql(contract, query.sql)
    if is_hashed(contract):
        sql += f"\n-- by the key {hashlib.sha256(key).hexdigest()[:8]}"
    if not any(each.masked for each in contract.key_fields):
        return replace(query, sql=sql)
    keys_sql = query.keys_sql
    if keys_sql is not None:
        first = (contract.masked_from or contract).key_fields
        names = ", ".join(quoted(each.name) for each in first)
        fields = ", ".join(masked(each) for each in first)
        keys_sql = f"select {fields} from ({keys_sql}\n) _keys({names})"
    return replace(query, sql=sql, keys_sql=keys_sql, key_input=None, needs=None)


def masked(field: Field) -> str:
    """SQL: a field of the other port as the masked one has it."""
    name, how = quoted(field.name), mask_of(field)
    if how == "hash":
        # By the contract's type, whose text is the same whatever type the query gives.
        return f"{HASH}(cast(cast({name} as {duckdb_type(field.type)}) as varchar))"
    return f"case when {name} is not null then '{MASK}' end" if how == "mask" else name
