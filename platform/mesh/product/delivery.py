"""Makes a staged file the newest delivery of a batch port: rows that fit, and the rest set aside.

The contract decides: a value that is none of its type, a row that breaks a rule or names a key
twice is kept beside the rows with the reason, and counted. Not here: reading the file
(`dump_source`), the list of deliveries (`deliveries`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.casting import words
from mesh.contract.model import Contract, Field
from mesh.contract.rules import Violation, check, fit
from mesh.contract.types import duckdb_columns
from mesh.errors import MeshError, WrongUse
from mesh.product.delivery_values import Value, matched, value_of
from mesh.product.duck import quoted
from mesh.product.dump_source import Source
from mesh.product.dump_sql import literal
from mesh.product.dump_styles import Reading, best_style

__all__ = ["Made", "make_rows"]

BATCH_ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How many rows fit and how many did not, by `rule/field`; *styles* by field."""

    rows: int
    rejected: Mapping[str, int]
    styles: Mapping[str, str] = field(default_factory=dict)


def make_rows(
    source: Source, contract: Contract, remembered: Mapping[str, str], rows: Path, rejected: Path
) -> Made:
    """Write the rows of *source* that keep *contract*, and the rest, as two Parquet files.

    *remembered* has the style in which each field was read before. Raises `WrongUse` where the
    columns are not those of the contract, or no row fits.
    """
    columns = matched(source, contract)
    zone = source.options.time_zone
    fields = {each.name: each for each in contract.fields}
    readings = {
        name: best_style(source, each.at, fields[name].type, remembered.get(name, ""))
        for name, each in columns.items()
        if each.is_text
    }
    values = {
        name: value_of(each, fields[name], readings.get(name), zone)
        for name, each in columns.items()
    }
    read_values(source, contract, values)
    set_aside_misfits(source, contract, readings)
    columns_sql = ", ".join(f"{quoted(n)} {type_}" for n, type_ in duckdb_columns(contract))
    source.run(f"create or replace table good (_row bigint, {columns_sql})")
    keep_what_fits(source, contract)
    drop_double_keys(source, contract)
    return replace(
        write_files(source, contract, rows, rejected),
        styles={name: each.style for name, each in readings.items()},
    )


def read_values(source: Source, contract: Contract, values: Mapping[str, Value]) -> None:
    """Fill `read` with the rows in the contract's types; of each, what is none of its type."""
    # `concat_ws` leaves nulls out; `coalesce` over hundreds of columns takes gigabytes.
    misfits = ", ".join(
        f"case when {value.misfit} then {literal(name)} end"
        for name, value in values.items()
        if value.misfit != "false"
    )
    misfit = f"nullif(split_part(concat_ws(',', {misfits}), ',', 1), '')" if misfits else "null"
    named = ", ".join(
        f"{values[each.name].sql if each.name in values else '_row'} as {quoted(each.name)}"
        for each in contract.fields
    )
    names = ", ".join(quoted(each.name) for each in contract.fields)
    source.run(
        f"create or replace table read as select _row, cast({misfit} as varchar) as _misfit,"
        f" {names}"
        f" from (select staged.*, {named} from staged)"
    )
    raw = ", ".join(f"{literal(name)}, {value.raw}" for name, value in values.items())
    source.run(
        f"create or replace view raws as select _row, cast(json_object({raw}) as varchar) as _raw"
        " from staged"
    )


def set_aside_misfits(source: Source, contract: Contract, readings: Mapping[str, Reading]) -> None:
    """Rows of which a value is none of its field's type, or could be two."""
    reasons = " ".join(
        f"when {literal(each.name)} then {literal(must_be(each, readings.get(each.name)))}"
        for each in contract.fields
    )
    source.run(
        f"insert into rejected select null, _row, 'type', _misfit, case _misfit {reasons}"
        " end, _raw from read join raws using (_row) where _misfit is not null order by _row"
    )


def must_be(wanted: Field, reading: Reading | None) -> str:
    """What a value of a field has to be, in words."""
    must = f"{wanted.name} must be {words(wanted.type)}"
    if reading is not None and wanted.type.kind == "timestamp":
        must += ", to the microsecond at most"
    if reading is None or not reading.is_unsure:
        return must
    how = " (--day-first, --month-first)" if wanted.type.kind in ("date", "timestamp") else ""
    return f"{must}, and be read in one way only{how}"


def keep_what_fits(source: Source, contract: Contract) -> None:
    """Fill `good` with the rows that keep the contract; the others are set aside."""
    names = ", ".join(quoted(each.name) for each in contract.fields)
    cursor = source.connection.cursor()
    try:
        reader = cursor.execute(
            f"select _row, {names} from read where _misfit is null order by _row"
        ).to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            keep_batch(source, contract, pa.Table.from_batches([batch]))
    except duckdb.Error as error:
        raise source.complaint(error) from error
    finally:
        cursor.close()


def keep_batch(source: Source, contract: Contract, batch: pa.Table) -> None:
    """One batch of rows in the contract's types."""
    numbers = batch["_row"].combine_chunks()
    fitted = fit(batch.drop_columns(["_row"]), contract)
    good = numbers.take(pa.array(fitted.good, pa.int64()))
    broken = [(numbers[each.row].as_py(), each) for each in fitted.violations]
    table = fitted.table.add_column(0, "_row", good)
    with registered(source, "batch", table):
        found = check(source.connection, "batch", contract)
        broken += [(each.row, each) for each in found]
        if broken:
            set_aside(source, broken)
            source.run(
                'insert into good select * from batch where _row not in (select "row" from'
                ' rejected where "row" is not null)'
            )
        else:
            source.run("insert into good select * from batch")


def set_aside(source: Source, broken: Sequence[tuple[int, Violation]]) -> None:
    """Keep rows that break the contract; one reason each, the first."""
    first: dict[int, Violation] = {}
    for row, each in broken:
        first.setdefault(row, each)
    table = pa.table(
        {
            "number": pa.array(list(first), pa.int64()),
            "rule": pa.array([each.rule for each in first.values()], pa.string()),
            "field": pa.array([each.field for each in first.values()], pa.string()),
            "reason": pa.array([each.reason for each in first.values()], pa.string()),
        }
    )
    with registered(source, "broken", table):
        source.run(
            "insert into rejected select null, number, rule, field, reason, _raw from broken"
            " join raws on number = _row order by number"
        )


def drop_double_keys(source: Source, contract: Contract) -> None:
    """Of rows with one key the first stays."""
    keys = ", ".join(quoted(each.name) for each in contract.key_fields)
    name = literal(contract.key_fields[0].name)
    source.run(
        "create or replace table doubled as select _row from good qualify row_number() over"
        f" (partition by {keys} order by _row) > 1"
    )
    source.run(
        f"insert into rejected select null, _row, 'key', {name}, 'an earlier row has this key',"
        " _raw from raws where _row in (select _row from doubled) order by _row"
    )
    source.run("delete from good where _row in (select _row from doubled)")


def write_files(source: Source, contract: Contract, rows: Path, rejected: Path) -> Made:
    """Write both files, once every row that was read is in one of them."""
    count = number(source, "select count(*) from good")
    aside = number(source, 'select count(*) from rejected where "row" is not null')
    if count + aside != source.rows:
        raise MeshError(
            f"of {source.rows} rows of {source.path} {count} fit and {aside} do not: some are"
            " missing, which is a fault of the mesh; nothing was delivered"
        )
    if not count:
        reason, text = source.run("select reason, left(raw, 200) from rejected limit 1")[0]
        raise WrongUse(f"no row of {source.path} keeps {contract.id}: {reason}; it is {text}")
    names = ", ".join(quoted(each.name) for each in contract.fields)
    kept = f"'mesh.contract': {literal(contract.id)}, 'mesh.version': {literal(contract.version)}"
    source.run(
        f"copy (select {names} from good order by _row) to {literal(str(rows))}"
        f" (format parquet, compression zstd, kv_metadata {{{kept}}})"
    )
    found = source.run(
        "select concat_ws('/', rule, field), count(*) from rejected group by 1 order by 1"
    )
    if found:
        source.run(
            'copy (select * from rejected order by line nulls last, "row") to'
            f" {literal(str(rejected))} (format parquet, compression zstd)"
        )
    return Made(rows=count, rejected={str(key): int(str(n)) for key, n in found})


def number(source: Source, sql: str) -> int:
    """A count."""
    return int(str(source.run(sql)[0][0]))


@contextmanager
def registered(source: Source, name: str, table: pa.Table) -> Iterator[None]:
    """An Arrow table as a relation, for the time of a block."""
    source.connection.register(name, table)
    try:
        yield
    finally:
        source.connection.unregister(name)
