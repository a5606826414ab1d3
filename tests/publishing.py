"""Named queries that tests publish as products, over ports that ship."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from duckdb import Value
from hypothesis import strategies as st

from mesh.contract.model import Contract, Field
from mesh.contract.odps import load_product
from mesh.contract.project import Project
from mesh.contract.types import duckdb_columns, duckdb_type
from mesh.product.cases import typed
from mesh.product.duck import connect_memory
from mesh.product.engine import Engine
from mesh.product.new import Created
from mesh.product.new_values import value_of
from mesh.product.plan import Plan
from mesh.product.storage import Storage
from mesh.query.files import QUERIES, NamedQuery, load_queries, load_query
from mesh.sql.shelf import name_of
from mesh.wiring.query_product import Wanted, publish
from mesh.wiring.sql_marts import opened
from tests.made import PROJECT
from tests.repository import ROOT
from tests.shipped import Run, by_key

__all__ = [
    "CALLERS",
    "CALLERS_TYPES",
    "SHIPPED",
    "UNPAID",
    "UNPAID_TYPES",
    "beside",
    "published",
    "put",
]

QUERIES_BY_NAME = {each.name: each for each in load_queries(ROOT / QUERIES, PROJECT.people)}
SHIPPED = [each for each in QUERIES_BY_NAME.values() if not each.parameters]
HEAD = """\
/*
name: {name}
version: 1.0.0
owner: ada
description: What a test asks.
result:
{result}
*/
{sql}
"""
FIELD = "  - {{name: {name}, logicalType: {type}{more}}}"
KEY = ", required: true, primaryKey: true, primaryKeyPosition: {}"
# A part is called as a port, names stand in a string and in a comment, one is quoted.
CALLERS_TYPES = {"said": "string", "calls": "integer", "seconds": "integer"}
CALLERS = """\
-- customer_service.call_center.calls
with calls as (
    select phone_number, started_at, duration_s, 'é customer_service.call_center.calls' as said
    from customer_service."Call_Center" . calls
)
select
    link.to_id as contract_number,
    max(said) as said,
    count(*) as calls,
    sum(calls.duration_s)::bigint as seconds
from calls
join sales.contracts.phone_number_contract as link
    on link.from_id = calls.phone_number and not link.retracted
group by link.to_id
order by calls desc;
"""
UNPAID_TYPES = {
    "kind": "string",
    "invoices": "integer, required: true",
    "most": "number, physicalType: 'decimal(12,2)'",
}
UNPAID_KEYS = """\
select contract_number from changed_contracts_contracts
union all select contract_number from changed_billing_invoices
"""
UNPAID = """\
select
    contracts.contract_number,
    any_value(sales.contracts.contracts.kind order by opened_at) as kind,
    count(i.invoice_id) as invoices,
    max(i.amount) as most
from sales.contracts.contracts
left join (select * from finance.billing.invoices) as i
    on i.contract_number = contracts.contract_number
group by contracts.contract_number
"""


def put(
    folder: Path,
    sql: str,
    key: tuple[str, ...] = ("contract_number",),
    *,
    keys: str = "",
    **types: str,
) -> NamedQuery:
    """A query `asked` with *sql* and a file of *keys*; its columns are *key* and *types*."""
    columns = [
        FIELD.format(name=each, type="string", more=KEY.format(position))
        for position, each in enumerate(key, 1)
    ]
    columns += [FIELD.format(name=name, type=type_, more="") for name, type_ in types.items()]
    folder.mkdir(exist_ok=True)
    path = folder / "asked.sql"
    path.write_text(HEAD.format(name="asked", result="\n".join(columns), sql=sql))
    if keys:
        path.with_suffix(".keys.sql").write_text(keys)
    return load_query(path, PROJECT.people)


def published(
    root: Path, query: NamedQuery, name: str = "answers", **wanted: Any
) -> tuple[Created, Project]:
    """What comes of *query*, and the project with it."""
    (root / "products").mkdir(exist_ok=True)
    created = publish(root, PROJECT, query, Wanted(product=name, **wanted))
    product = load_product(created.product.folder)
    return created, replace(PROJECT, products={**PROJECT.products, name: product})


def answer(
    query: NamedQuery, storage: Storage, plan: Plan, values: Mapping[str, str]
) -> dict[bytes, Any]:
    """The rows of the query at the SQL access point, if its tables have what *storage* took in.

    It is asked as it is there: with *values* that are bound.
    """
    types = {each.name: duckdb_type(each.type) for each in query.parameters}
    contract = plan.states[0].contract
    sources = {each.name: each.contract for each in plan.inputs}
    with closing(opened(sources)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, source in sources.items():
            columns = columns_of(source)
            rows = storage.connection.sql(f'select {columns[0]} from "input"."{name}"')
            connection.register("taken", rows.to_arrow_table())
            table = ".".join(name_of(source))
            connection.execute(f"insert into {table} select {columns[1]} from taken")
            connection.unregister("taken")
        given = {name: Value(each, connection.type(types[name])) for name, each in values.items()}
        return by_key(connection.execute(query.sql, given).to_arrow_table(), contract)


def meeting(plan: Plan) -> st.SearchStrategy[list[Any]]:
    """Histories of rows that keep their contracts, and whose identifiers are often the same."""
    comes = st.sampled_from([True, True, True, False])
    change: st.SearchStrategy[Any] = st.one_of(
        st.tuples(st.just(number), st.sampled_from(rows_of(each.contract)), comes)
        for number, each in enumerate(plan.inputs)
    )
    batch = st.lists(change, min_size=1, max_size=6)
    return st.lists(st.none() | batch | batch | batch, min_size=2, max_size=6)


def rows_of(contract: Contract) -> list[Any]:
    """Rows of four keys, each with few values of all else."""
    names = {each.name for each in contract.fields if each.is_required or each.identifier}
    rows = [
        {
            each.name: value_of(
                contract,
                each,
                key if each.key_position else joined if is_joined(each) else other,
                PROJECT.identifiers,
            )
            for each in contract.fields
            if each.name in names
        }
        for key in range(1, 5)
        for joined in (1, 2)
        for other in (1, 2)
    ]
    with connect_memory() as connection:
        return [*typed(connection, rows, contract).to_pylist()]


def is_joined(field: Field) -> bool:
    return field.identifier is not None or field.name in ("from_id", "to_id")


def columns_of(contract: Contract) -> tuple[str, str]:
    """The columns of a port, and the same as of their types: Arrow knows no UUID."""
    found = duckdb_columns(contract)
    casts = ", ".join(f'cast("{name}" as {type_}) as "{name}"' for name, type_ in found)
    return ", ".join(f'"{name}"' for name, _ in found), casts


def beside(query: NamedQuery, seen: list[int], values: Mapping[str, str]) -> Any:
    """A check that the port's table and its topic are what the query says; *seen* has how much."""

    def check(run: Run, storage: Storage, engine: Engine) -> None:
        run.check(storage, engine)
        contract = run.plan.states[0].contract
        columns = ", ".join(f'"{each.name}"' for each in contract.fields)
        table = storage.connection.sql(f'select {columns} from main."{contract.name}"')
        wanted = answer(query, storage, run.plan, values)
        assert by_key(table.to_arrow_table(), contract) == wanted
        seen.append(len(wanted))

    return check
