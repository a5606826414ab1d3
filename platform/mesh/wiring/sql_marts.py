"""Marts at the SQL access point: made from the named queries that say so, and told over HTTP.

    GET /marts           those that one may read, with their inputs, offsets and freshness
    GET /marts/inputs    the names of those that read a port, by each port

A mart's SQL is held to what that of a state port is: it is a function of the data alone. Not
here: refreshing (`mesh.sql.marts`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Annotated

import duckdb
from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.custom import duration_ms
from mesh.contract.model import Contract
from mesh.contract.names import listed
from mesh.contract.people import Person
from mesh.contract.types import duckdb_columns
from mesh.errors import InvalidFile, WrongUse
from mesh.product.duck import quoted
from mesh.product.event_lint import base_tables, clock_faults, parse
from mesh.product.state_needs import Needs, read_needs
from mesh.product.state_query import (
    CHANGED,
    column_faults,
    fault,
    limit_faults,
    make_inputs,
    plan_faults,
    read_keys,
)
from mesh.query.files import NamedQuery
from mesh.sql.mart import Mart
from mesh.sql.marts import Marts
from mesh.sql.part import NEEDED
from mesh.sql.shelf import name_of
from mesh.wiring.query_text import renamed, tree_of
from mesh.wiring.sql_named import promise_of

__all__ = ["mart_routes", "marts_of", "refreshing"]

Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
WAIT_S = 60.0


def marts_of(
    queries: Iterable[NamedQuery],
    people: Mapping[str, Person],
    contracts: Iterable[Contract],
    say: Callable[[str], None],
) -> list[Mart]:
    """The marts among the queries, over ports that are topics.

    *say* is told of one that cannot be: a port that it reads may be there another day, and all
    else is answered meanwhile.
    """
    known = list(contracts)
    found = []
    for query in queries:
        if query.mart:
            try:
                found.append(mart_of(query, people[query.owner].domain, known))
            except (InvalidFile, WrongUse) as error:
                say(f"{query.name} is not kept as a mart: {error}")
    return found


def mart_of(query: NamedQuery, domain: str, known: Iterable[Contract]) -> Mart:
    """The mart of a query, its SQL judged. Raises `InvalidFile` or `WrongUse` with its faults."""
    tree = tree_of(query.sql)
    contracts = {".".join(name_of(each)): each for each in known}
    ports = {name: contracts[name] for name in base_tables(tree) if name in contracts}
    inputs = {"_".join(name_of(each)[1:]): each for each in ports.values()}
    id_ = f"marts.{query.name}"
    contract = replace(
        query.result, id=id_, topic=id_, domain="marts", product=domain, path=query.path
    )
    problems = [*clock_faults(tree), *limit_faults(tree)]
    if not inputs:
        problems.append("it reads no port that is a topic")
    keys_path = query.path.with_suffix(".keys.sql")
    with closing(opened(inputs)) as connection:
        problems += plan_faults(connection, query.sql) if not problems else []
        problems += column_faults(connection, query.sql, contract) if not problems else []
        if problems:
            raise InvalidFile([fault(query.path, each) for each in sorted({*problems})])
        keys = read_keys(connection, keys_path, contract) if keys_path.exists() else ""
        needs = read_needs(connection, query.path.with_suffix(".needs.sql"), contract, inputs)
    if keys and (missed := missed_by(keys, inputs)):
        problem = f"it does not look at {listed(missed)}"
        raise InvalidFile([fault(keys_path, problem, "list the keys that new rows of it touch")])
    return Mart(
        contract=contract,
        owner=query.owner,
        sql=query.sql,
        promise=promise_of(query),
        inputs=inputs,
        keys_sql=keys,
        **narrowed(query, inputs, needs if keys else None),
        every_s=(duration_ms(query.mart) or 0) / 1000,
    )


def narrowed(
    query: NamedQuery, inputs: Mapping[str, Contract], needs: Needs | None
) -> Mapping[str, str]:
    """The SQL of the query for some keys, and of the rows that are enough for them."""
    if needs is None:
        return {"part_sql": query.sql}
    table = ".".join(name_of(inputs[needs.input]))
    return {"needs_sql": needs.sql, "part_sql": renamed(query.sql, {table: NEEDED})}


def missed_by(keys_sql: str, inputs: Mapping[str, Contract]) -> list[str]:
    """What changed in event ports, and a keys file does not read."""
    read = set(base_tables(parse(keys_sql)))
    wanted = {CHANGED + name for name, each in inputs.items() if each.kind == "event"}
    return sorted(wanted - read)


def opened(inputs: Mapping[str, Contract]) -> duckdb.DuckDBPyConnection:
    """A database with empty tables of *inputs*, by the names that they have in SQL."""
    connection = duckdb.connect()
    make_inputs(connection, inputs)
    for contract in inputs.values():
        domain, product, port = map(quoted, name_of(contract))
        connection.execute(f"attach if not exists ':memory:' as {domain}")
        connection.execute(f"create schema if not exists {domain}.{product}")
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in duckdb_columns(contract))
        connection.execute(f"create table {domain}.{product}.{port} ({columns})")
    connection.execute("set enable_external_access = false")
    return connection


@contextmanager
def refreshing(marts: Marts, say: Callable[[str], None]) -> Iterator[None]:
    """Have marts refreshed for the time of a block."""
    stop = threading.Event()
    thread = threading.Thread(target=marts.run, args=(stop, say), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)


def mart_routes(
    marts: Marts, granted: Callable[[str], frozenset[str]], who: Callable[[str], str]
) -> APIRouter:
    """The routes over *marts*; *who* tells whom a token speaks for."""
    router = APIRouter()

    @router.get("/marts")
    def get_marts(login: Login) -> Mapping[str, object]:
        """The marts that may be read."""
        return {"marts": marts.told(granted(who(login.credentials)))}

    @router.get("/marts/inputs")
    def get_inputs(login: Login) -> Mapping[str, object]:
        """The marts that read each port, by their names."""
        who(login.credentials)
        return {"marts": marts.readers()}

    return router
