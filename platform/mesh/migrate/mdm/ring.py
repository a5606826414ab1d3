"""The key ring without a broker: fed by its authorities' own SQL, asked at its own door.

What an operational system wrote at an instant is recorded at that instant, so the ring can be
asked by what was known at any moment of the simulated time. Not here: `mesh keyring resolve`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
import numpy as np
import pyarrow as pa

from mesh.contract.model import Relation
from mesh.contract.names import to_snake
from mesh.contract.project import Project
from mesh.contract.types import duckdb_columns
from mesh.ports.own import Own
from mesh.product.duck import connect_memory, quoted
from mesh.product.family import Member
from mesh.product.plan import Plan, plan_product
from mesh.product.systems import find_systems
from mesh.product.transform import CAUSE

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["RING", "ROLES", "KeyRing", "Question", "open_ring", "written"]

RING = "key-ring"
# What is asked of both sides; a golden record has the same answer to all of them.
ROLES = ("user", "holder", "payer", "administrator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """From an identifier to a person in a role, at an instant, by what was known at a moment."""

    start: str
    role: str
    at: int
    known_at: int


class KeyRing:
    """The ports of the key ring as they are after all statements, behind the door of its folder."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        relations: tuple[Relation, ...],
        router: APIRouter,
    ) -> None:
        from fastapi import FastAPI

        self.connection, self.relations = connection, relations
        self._app = FastAPI()
        self._app.include_router(router)

    def who(self, calls: pa.Table, role: str, known_at: int) -> list[str | None]:
        """Who was behind each number (`phone_number`) at its instant (`at`), as known then."""
        asked = pa.table({"id": calls["phone_number"], "at": calls["at"]})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, asked.schema) as stream:
            stream.write_table(asked)
        params = {"from": "phone", "to": "person", "role": role, "known_at": text_of(known_at)}
        body = sink.getvalue().to_pybytes()
        (answer,) = self._ask([("POST", params, body)])
        found: list[str | None] = pa.ipc.open_stream(answer).read_all()["answer"].to_pylist()
        return found

    def answers(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """The documents that answer questions one by one."""
        asked = [
            (
                "GET",
                {
                    "from": each.start,
                    "to": "person",
                    "role": each.role,
                    "at": text_of(each.at),
                    "known_at": text_of(each.known_at),
                },
                b"",
            )
            for each in questions
        ]
        return [json.loads(each) for each in self._ask(asked)]

    def _ask(self, requests: Sequence[tuple[str, Mapping[str, str], bytes]]) -> list[bytes]:
        async def ask() -> list[bytes]:
            transport = httpx.ASGITransport(app=self._app)
            headers = {"Authorization": "Bearer nobody-asks"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://key-ring", headers=headers
            ) as client:
                found = []
                for method, params, body in requests:
                    answer = await client.request(method, "/resolve", params=params, content=body)
                    found.append(answer.raise_for_status().content)
                return found

        return asyncio.run(ask())


def text_of(at: int) -> str:
    """An instant as the door reads it."""
    return f"{np.datetime64(at, 'us')}Z"


def open_ring(
    project: Project,
    records: Mapping[str, Mapping[str, pa.Table]],
    routes: Callable[[Own], APIRouter],
) -> KeyRing:
    """The key ring after all *records*, by product and input port; *routes* are its door's."""
    plan = plan_product(project, RING)
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; create schema input")
    table = plan.families[0].table
    columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in duckdb_columns(table))
    connection.execute(f"create table input.{quoted(table.name)} ({columns})")
    connection.execute("set search_path = 'input,main'")
    for rows in told(project, plan, records):
        connection.register("_rows", rows)
        connection.execute(f"insert into input.{quoted(table.name)} by name select * from _rows")
        connection.unregister("_rows")
    for each in plan.states:
        connection.execute(f"create table main.{quoted(each.contract.name)} as {each.query.sql}")
    relations = tuple(each.member.relation for each in plan.inputs if each.member is not None)
    own = Own(
        product=plan.product,
        allow=lambda port, token: None,
        reader=connection.cursor,
        listen=lambda listener: None,
        identifiers=project.identifiers,
        relations=lambda: relations,
        offsets=dict,
    )
    return KeyRing(connection, relations, routes(own))


def told(
    project: Project, ring: Plan, records: Mapping[str, Mapping[str, pa.Table]]
) -> Iterator[pa.Table]:
    """What the relation ports of *records*' products state, as rows of the family's table."""
    members = {each.contract.id: each.member for each in ring.inputs if each.member is not None}
    for product, ports in records.items():
        for output in plan_product(project, product).events:
            member = members.get(output.contract.id)
            rows = ports.get(output.source.name)
            if member is not None and rows is not None:
                yield stated(member, output.query.sql, output.query.relation, rows)


def stated(member: Member, sql: str, name: str, rows: pa.Table) -> pa.Table:
    """What one port's SQL makes of the records of one input, recorded when they were written."""
    count = rows.num_rows
    numbers = pa.array(np.arange(count, dtype=np.int64))
    causes = pa.table(
        {
            "partition": pa.array(np.zeros(count, dtype=np.int32)),
            "offset": numbers,
            "time": rows["written_at"],
        }
    )
    with connect_memory() as connection:
        connection.register(name, rows.append_column(CAUSE, numbers))
        found = connection.sql(sql).to_arrow_table()
    widened, _ = member.take(found, causes)
    return widened.drop_columns([CAUSE])


def written(seed: int, until: int) -> dict[str, dict[str, pa.Table]]:
    """What the operational systems wrote before an instant, by product and input as SQL names it.

    Records that do not say when they were written state no link.
    """
    found: dict[str, dict[str, pa.Table]] = {}
    for product, system in find_systems().items():
        count_until = getattr(system, "count_until", None)
        if count_until is None:
            continue
        parts: dict[str, list[pa.Table]] = {}
        for batch in system.batches(seed, count_until(seed, until)):
            for port, rows in batch.items():
                if "written_at" in rows.column_names:
                    parts.setdefault(to_snake(port), []).append(rows)
        if parts:
            found[product] = {port: pa.concat_tables(each) for port, each in parts.items()}
    return found
