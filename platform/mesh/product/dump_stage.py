"""Brings a file into DuckDB as it stands: columns of text, or of Parquet's own types.

What the reader cannot take for a row is kept in `rejected`, whole and with the reason.
Not here: encodings (`dump_text`), layout (`dump_header`), what the values mean (`dump_values`).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from mesh.contract.names import listed
from mesh.errors import WrongUse
from mesh.product.duck import quoted
from mesh.product.dump_header import Dialect, read_dialect
from mesh.product.dump_source import Column, Options, Source
from mesh.product.dump_text import as_utf8, known_encoding, recognise

__all__ = ["stage"]

MAX_LINE_BYTES = 16_777_216
# Of a longer line DuckDB keeps no more; the whole is read from the file.
KEPT_BY_DUCKDB = 10_000
REJECTED = (
    "create table rejected"
    ' (line bigint, "row" bigint, rule varchar, field varchar, reason varchar, raw varchar)'
)
# A file of which less can be read is not what it was taken for.
LEAST_READ = 0.5


def stage(
    connection: duckdb.DuckDBPyConnection, path: Path, folder: Path, options: Options
) -> Source:
    """Bring *path* into *connection*; *folder* is for a copy in UTF-8.

    Raises `WrongUse` where the file is none of ours, or no table.
    """
    kind = recognise(path)
    source = Source(connection=connection, path=path, folder=folder, options=options, kind=kind)
    source.reading["kind"] = kind
    source.run(REJECTED)
    text: Path | None = None
    if kind == "parquet":
        stage_parquet(source)
    else:
        encoding = known_encoding(options.encoding) if options.encoding else None
        text, source.reading["encoding"] = as_utf8(path, folder, encoding)
        (stage_json if kind == "json" else stage_csv)(source, text)
    finish(source, text)
    return source


def stage_csv(source: Source, text: Path) -> None:
    """A file of separated values."""
    options = source.options
    dialect = read_dialect(
        source.connection, text, source.folder, options.delimiter, header=options.header
    )
    source.name_columns(dialect.header)
    source.reading |= {"delimiter": dialect.delimiter, "header": dialect.has_header}
    text = with_one_line_end(source, text)
    read_lines(source, text, dialect)
    refuse_open_quote(source)
    take_rejects(source, text)
    for line in dialect.above:
        source.reject(None, "above-header", "it stands above the header", line)
    if not dialect.has_header:
        source.notes.append("its first row was taken for values, not for names (--header)")


def read_lines(source: Source, text: Path, dialect: Dialect) -> None:
    """Fill `staged` from lines, in their order."""
    types = ", ".join(f"'{each.at}': 'VARCHAR'" for each in source.columns)
    skip = len(dialect.above) + dialect.has_header
    source.run(
        "create table staged as select row_number() over () as _row, * from read_csv(?,"
        f" auto_detect=false, delim=?, quote='\"', escape='\"', header=false, skip={skip},"
        f" columns={{{types}}}, store_rejects=true, rejects_limit=0,"
        f" max_line_size={MAX_LINE_BYTES}, buffer_size={4 * MAX_LINE_BYTES})",
        [str(text), dialect.delimiter],
    )


def refuse_open_quote(source: Source) -> None:
    """Raise `WrongUse` for a quote that never closes: all behind it would be one value."""
    found = source.run("select min(line) from reject_errors where error_type = 'UNQUOTED VALUE'")[
        0
    ][0]
    if found is not None:
        raise WrongUse(
            f"{source.path} opens a quote in line {found} that nothing closes, so no line behind"
            " it can be told from the next: mend that line"
        )


def take_rejects(source: Source, text: Path) -> None:
    """Keep the lines that are no rows, each whole."""
    found = source.run(
        "select line, byte_position, csv_line, error_type, any_value(error_message)"
        " from reject_errors group by all order by line"
    )
    seen: set[object] = set()
    with text.open("rb") as file:
        for line, place, raw, rule, message in found:
            if line in seen:
                continue
            seen.add(line)
            whole = str(raw)
            if len(whole) >= KEPT_BY_DUCKDB and isinstance(place, int):
                file.seek(max(0, place - 1))
                whole = file.readline().decode(errors="replace").rstrip("\r\n")
            words = " ".join(str(message).split()).rstrip(".")
            source.reject(int(str(line)), str(rule).lower().replace(" ", "-"), words, whole)


def with_one_line_end(source: Source, text: Path) -> Path:
    """The text, in which all lines end alike: DuckDB reads no file that mixes two ends."""
    if not has_mixed_ends(text):
        return text
    target = source.folder / "lines"
    with text.open("rb") as old, target.open("wb") as new:
        for line in old:
            new.write(line.removesuffix(b"\r\n") + b"\n" if line.endswith(b"\r\n") else line)
    source.notes.append("its lines end in two ways, and were read as if all ended in LF")
    return target


def has_mixed_ends(text: Path) -> bool:
    """Whether some lines end in CR LF and others in LF."""
    ends: set[bool] = set()
    with text.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                ends.add(line.endswith(b"\r\n"))
                if len(ends) == 2:
                    return True
    return False


def stage_json(source: Source, text: Path) -> None:
    """One JSON object a line; what is nested stays as JSON text."""
    text = with_one_line_end(source, text)
    source.run(
        "create table lines as select row_number() over () as line, raw from read_csv(?,"
        " auto_detect=false, delim='\x01', quote='', escape='', header=false,"
        " columns={'raw': 'VARCHAR'}, store_rejects=true, rejects_limit=0,"
        f" max_line_size={MAX_LINE_BYTES}, buffer_size={4 * MAX_LINE_BYTES})",
        [str(text)],
    )
    take_rejects(source, text)
    source.run(
        "insert into rejected select line, null, 'json', null, case when not json_valid(raw) then"
        " 'it is no JSON' when json_type(raw) <> 'OBJECT' then 'it is no JSON object' else"
        " 'it names a key twice' end, raw from lines where raw is not null and case when not"
        " json_valid(raw) then true when json_type(raw) <> 'OBJECT' then true else"
        " len(json_keys(raw)) <> len(list_distinct(json_keys(raw))) end"
    )
    source.run(
        "create table objects as select line, raw from lines where raw is not null"
        " and line not in (select line from rejected)"
    )
    keys = [
        str(key)
        for key, _ in source.run(
            "select key, min((line, place)) as first from (select line,"
            " unnest(json_keys(raw)) as key, generate_subscripts(json_keys(raw), 1) as place"
            " from objects) group by key order by first"
        )
    ]
    source.name_columns(keys)
    paths = ["/" + each.replace("~", "~0").replace("/", "~1") for each in keys]
    picked = ", ".join(
        f"found[{number}] as {quoted(each.at)}" for number, each in enumerate(source.columns, 1)
    )
    source.run(
        f"create table staged as select row_number() over (order by line) as _row, {picked or '1'}"
        " from (select line, json_extract_string(raw, ?) as found from objects) order by line",
        [paths],
    )


def stage_parquet(source: Source) -> None:
    """A Parquet file, whose types are its own."""
    found = source.run("describe select * from read_parquet(?)", [str(source.path)])
    source.name_columns([str(each[0]) for each in found])
    source.columns = tuple(
        Column(at=each.at, name=each.name, header=each.header, sql_type=str(kind), is_text=False)
        for each, (_, kind, *_) in zip(source.columns, found, strict=True)
    )
    picked = ", ".join(
        f"{quoted(str(row[0]))} as {quoted(each.at)}"
        for each, row in zip(source.columns, found, strict=True)
    )
    source.run(
        f"create table staged as select row_number() over () as _row, {picked}"
        " from read_parquet(?)",
        [str(source.path)],
    )


def finish(source: Source, text: Path | None) -> None:
    """Leave out what is not wanted, and refuse what is no table."""
    unknown = sorted(set(source.options.leave_out) - {each.name for each in source.columns})
    if unknown:
        names = listed(each.name for each in source.columns)
        raise WrongUse(f"there is no column {listed(unknown)} to leave out; there are {names}")
    left = source.options.leave_out
    source.columns = tuple(each for each in source.columns if each.name not in left)
    source.rows = int(str(source.run("select count(*) from staged")[0][0]))
    rejected = int(
        str(source.run("select count(*) from rejected where rule <> 'above-header'")[0][0])
    )
    if not source.rows and text is not None and has_long_line(text):
        raise WrongUse(
            f"{source.path} has no row, and a line of more than {MAX_LINE_BYTES // 1_048_576} MiB,"
            " which cannot be read as one: leave the long column out of the export"
        )
    if not source.rows and not rejected:
        raise WrongUse(f"{source.path} has no row: there is nothing to make a product of")
    if source.rows < LEAST_READ * (source.rows + rejected):
        reason, line = source.run("select reason, line from rejected order by line limit 1")[0]
        raise WrongUse(
            f"{source.path} does not look like a table: {rejected} of {rejected + source.rows}"
            f" lines cannot be read as rows (line {line}: {reason}); name what separates its"
            " columns with --delimiter"
        )
    if not source.columns:
        raise WrongUse(f"{source.path} has no column left")


def has_long_line(text: Path) -> bool:
    """Whether a line is longer than a row may be; DuckDB does not always tell of it."""
    with text.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                return True
    return False
