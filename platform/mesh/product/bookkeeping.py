"""The tables in which a storage keeps its own account, in schema `mesh`.

Not here: the tables of the ports (`tables`), and who writes these (`storage`, `state_engine`,
`retention`).
"""

from __future__ import annotations

__all__ = ["BOOKKEEPING", "LATER", "OUTBOX_TABLE"]

BOOKKEEPING = """
create schema mesh;
create table mesh.state (seq bigint, offsets varchar);
insert into mesh.state values (0, '{}');
create table mesh.batches (id varchar, seq bigint, offsets varchar);
create table mesh.quality (port varchar, rule varchar, field varchar, count_rejected bigint);
create table mesh.topics (topic varchar, topic_id varchar);
"""
# Later than the rest: a storage of before has none.
LATER = """create table if not exists mesh.state_ports (port varchar, digest varchar);
create table if not exists mesh.life (storage_id varchar, met_at double)"""
OUTBOX_TABLE = """
create or replace table mesh.outbox (
    seq bigint, topic varchar, "key" blob, "value" blob, id varchar, "time" timestamptz,
    trace varchar
)
"""
