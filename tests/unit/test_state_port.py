"""A state port, computed batch by batch, always says what its whole query says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract.model import Contract, Field
from mesh.contract.types import FieldType, arrow_schema, duckdb_columns
from mesh.errors import InvalidFile
from mesh.product.state_input import apply_state
from mesh.product.state_port import StatePort
from mesh.product.state_query import StateQuery, read_state_query

TEXT, LONG = FieldType(kind="string"), FieldType(kind="int64")


def contract(name: str, port_kind: str, /, **fields: FieldType) -> Contract:
    """A contract whose first field is its key."""
    return Contract(
        id=f"p.{name}", version="1.0.0", name=name, domain="d", product="p", description="",
        topic=f"pub.d.p.{name}.v1", kind=port_kind, rules=(), partitions=1, retention_ms=None,
        purpose=None, access="ask", path=Path("none"), document={},
        fields=tuple(
            Field(name=field, type=type_, is_required=number == 0, key_position=int(number == 0))
            for number, (field, type_) in enumerate(fields.items())
        ),
    )  # fmt: skip


CALLS = contract("calls", "event", call=LONG, phone=TEXT, seconds=LONG)
LINKS = contract("links", "state", link=LONG, phone=TEXT, contract=TEXT)
CONTRACTS = contract("contracts", "state", contract=TEXT, kind=TEXT)
SOURCES = {"calls": CALLS, "links": LINKS, "contracts": CONTRACTS}

# Name, the port's contract, its query, its keys file.
PORTS = {
    "per-contract": (
        contract("per_contract", "state", contract=TEXT, kind=TEXT, calls=LONG, seconds=LONG),
        """
        select
            c.contract, c.kind, count(k.call) as calls,
            coalesce(sum(k.seconds), 0)::bigint as seconds
        from contracts c
        left join links l on l.contract = c.contract
        left join calls k on k.phone = l.phone
        group by c.contract, c.kind
        """,
        """-- key input: contracts
        select contract from changed_contracts
        union all select contract from changed_links
        union all select l.contract from changed_calls k join links l on l.phone = k.phone
        """,
    ),
    "unlinked-phones": (
        contract("unlinked", "state", phone=TEXT, calls=LONG),
        """
        select phone, count(*) as calls from calls k
        where phone is not null and not exists (select 1 from links l where l.phone = k.phone)
        group by phone having count(*) > 1
        """,
        "select phone from changed_calls union all select phone from changed_links",
    ),
    "last-link": (
        contract("last_link", "state", contract=TEXT, link=LONG),
        """
        select contract, link from
        (select *, row_number() over (partition by contract order by link desc) as rank from links)
        where rank = 1 and contract is not null
        """,
        "select contract from changed_links",
    ),
}

letters = st.sampled_from(["a", "b", "c"])
maybe = st.none() | letters
numbers = st.integers(0, 5)
changes = st.one_of(
    st.tuples(st.just("calls"), st.tuples(numbers, maybe, st.integers(0, 9))),
    st.tuples(st.just("links"), st.tuples(numbers, maybe, maybe) | st.tuples(numbers)),
    st.tuples(st.just("contracts"), st.tuples(letters, maybe) | st.tuples(letters)),
)
histories = st.lists(st.lists(changes, min_size=1, max_size=5), max_size=12)


def open_storage(port: Contract) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema input; set search_path = 'input,main'")
    for name, source in SOURCES.items():
        columns = ", ".join(f'"{n}" {t}' for n, t in duckdb_columns(source))
        connection.execute(f"create table input.{name} ({columns}, _partition int, _offset bigint)")
    columns = ", ".join(f'"{n}" {t}' for n, t in duckdb_columns(port))
    connection.execute(f"create table main.{port.name} ({columns})")
    return connection


def take_in(connection, batch) -> dict[str, pa.Table]:
    """Apply one batch to the input tables; the changed images of every input."""
    changed = {}
    for name, source in SOURCES.items():
        mine = [(i, values) for i, (input_, values) in enumerate(batch) if input_ == name]
        names = [f.name for f in source.fields]
        full = [(i, values) for i, values in mine if len(values) == len(names)]
        rows = pa.Table.from_pylist(
            [dict(zip(names, values, strict=True)) for _, values in full], arrow_schema(source)
        )
        origin = {
            "_partition": [0] * len(full),
            "_offset": [i for i, _ in full],
            "_cause": [i for i, _ in full],
        }
        for column, values in origin.items():
            rows = rows.append_column(column, pa.array(values, pa.int64()))
        if source.kind == "event":
            connection.register("_rows", rows.drop_columns(["_cause"]))
            connection.execute(f"insert into input.{name} by name select * from _rows")
            changed[name] = rows.select(names)
            continue
        gone = [(i, str(values[0])) for i, values in mine if len(values) == 1]
        tombstones = pa.table(
            {
                "key": pa.array([k for _, k in gone], pa.string()),
                "_cause": pa.array([i for i, _ in gone], pa.int64()),
            }
        )
        changed[name] = apply_state(
            connection, f"input.{name}", source, rows=rows, tombstones=tombstones
        )
    return changed


def rows_of(connection, sql: str) -> list[tuple]:
    return sorted(connection.execute(sql).fetchall(), key=repr)


@pytest.mark.parametrize("name", PORTS)
@settings(max_examples=40, deadline=None)
@given(history=histories)
def test_any_history_cut_in_any_way_ends_equal_to_the_whole_query(name, history):
    port, sql, keys = PORTS[name]
    query = StateQuery(
        path=Path("q.sql"), sql=sql, inputs=tuple(SOURCES), keys_sql=keys,
        key_input="contracts" if "key input" in keys else None,
    )  # fmt: skip
    connection = open_storage(port)
    state = StatePort(connection, port, query, lambda rows: (rows, []))
    published: dict[str, tuple] = {}
    for batch in history:
        change = state.change(take_in(connection, batch))
        for row in change.rows.to_pylist():
            fresh = tuple(row.values())
            assert published.get(fresh[0]) != fresh, "an equal row was said again"
            published[fresh[0]] = fresh
        for row in change.gone.to_pylist():
            del published[next(iter(row.values()))]

        names = ", ".join(f.name for f in port.fields)
        whole = rows_of(connection, f"select {names} from ({sql})")
        assert rows_of(connection, f"select {names} from main.{port.name}") == whole
        assert sorted(published.values(), key=repr) == whole
    connection.close()


def test_a_keys_file_that_leaves_out_a_path_is_found_by_this_test():
    """The oracle has teeth: without the old images of links some history goes wrong."""
    port, sql, _ = PORTS["per-contract"]
    query = StateQuery(
        path=Path("q.sql"), sql=sql, inputs=tuple(SOURCES), key_input=None,
        keys_sql="select contract from changed_contracts union all select contract from links",
    )  # fmt: skip
    connection = open_storage(port)
    state = StatePort(connection, port, query, lambda rows: (rows, []))
    for batch in (
        [
            ("contracts", ("a", "x")),
            ("contracts", ("b", "x")),
            ("links", (1, "a", "a")),
            ("calls", (1, "a", 5)),
        ],
        [("links", (1, "a", "b"))],
    ):
        state.change(take_in(connection, batch))

    whole = rows_of(connection, f"select contract, calls from ({sql})")
    assert rows_of(connection, "select contract, calls from main.per_contract") != whole


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select contract, now() as kind from contracts", "now() is not a function of the data"),
        ("select contract, kind from contracts limit 3", "LIMIT"),
        ("select contract, any_value(kind) as kind from contracts group by 1", "without ORDER BY"),
        ("select contract, string_agg(kind, ',') as kind from contracts group by 1", "ORDER BY"),
        ("select contract, sum(1.5::double) as kind from contracts group by 1", "use DECIMAL"),
        ("select contract, avg(0.5::float) as kind from contracts group by 1", "use DECIMAL"),
        ("select distinct on (contract) contract, kind from contracts", "DISTINCT ON"),
        ("select contract, random() as kind from contracts", "random()"),
        ("select contract, kind from elsewhere", "elsewhere"),
        ("select contract, nothing as kind from contracts", "nothing"),
        ("select 1", "no input port"),
        ("select contract from contracts", "it gives no kind"),
        ("select *, 1 as n from contracts", "it gives n, which is no field"),
    ],
)
def test_a_query_that_is_no_function_of_the_data_is_refused(tmp_path, sql, problem):
    path = tmp_path / "contracts.sql"
    path.write_text(sql)

    with pytest.raises(InvalidFile) as refused:
        read_state_query(path, CONTRACTS, SOURCES)
    assert problem in str(refused.value)


def test_ordered_and_exact_aggregates_are_accepted(tmp_path):
    path = tmp_path / "contracts.sql"
    path.write_text(
        "select contract, string_agg(kind, ',' order by kind) as kind, sum(length(kind)) as n,"
        " sum(1.5) as m, avg(length(kind)) as a from contracts group by contract"
    )

    port = contract("sums", "state", contract=TEXT, kind=TEXT, n=LONG, m=LONG, a=LONG)
    assert read_state_query(path, port, SOURCES).inputs == ("contracts",)


def test_a_keys_file_must_give_the_key(tmp_path):
    (tmp_path / "contracts.sql").write_text("select contract, kind from contracts")
    (tmp_path / "contracts.keys.sql").write_text("select link from changed_links")

    with pytest.raises(InvalidFile, match=r"gives BIGINT, and the key of p\.contracts is VARCHAR"):
        read_state_query(tmp_path / "contracts.sql", CONTRACTS, SOURCES)


def test_only_an_input_that_has_the_output_key_can_be_narrowed(tmp_path):
    (tmp_path / "contracts.sql").write_text("select contract, kind from contracts")
    keys = tmp_path / "contracts.keys.sql"
    keys.write_text("-- key input: links\nselect contract from changed_contracts")

    with pytest.raises(InvalidFile, match="the key of links is not the key of"):
        read_state_query(tmp_path / "contracts.sql", CONTRACTS, SOURCES)
    keys.write_text("-- key input: contracts\nselect contract from changed_contracts")
    assert read_state_query(tmp_path / "contracts.sql", CONTRACTS, SOURCES).key_input == "contracts"
