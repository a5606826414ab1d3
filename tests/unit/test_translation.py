"""What Spark is given, and how what it makes is compared; Spark itself is not asked."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mesh.batch.differences import compared
from mesh.batch.translation import to_spark
from mesh.errors import MeshError
from tests.sql import EVENTS

ORDERS = replace(EVENTS, kind="state")


def said(sql):
    return " ".join(to_spark(sql).split())


@pytest.mark.parametrize(
    ("sql", "spark"),
    [
        (
            "select a, unnest(arg_max(struct_pack(b, c), d)) from t group by a",
            "SELECT `a`, `_packed1`.* FROM ( SELECT a, MAX_BY(STRUCT(b, c), d) AS `_packed1`"
            " FROM t GROUP BY a ) AS `_packed`",
        ),
        (
            "select 1 from t where (a, b) < (c, d)",
            "SELECT 1 FROM t WHERE NAMED_STRUCT('_0', a, '_1', b) < NAMED_STRUCT('_0', c, '_1', d)",
        ),
        (
            "select 1 from t where coalesce(a, '-infinity') < coalesce(b, 'infinity')",
            "SELECT 1 FROM t WHERE COALESCE(a, TIMESTAMP_MICROS(-9223372036854775808))"
            " < COALESCE(b, TIMESTAMP_MICROS(9223372036854775807))",
        ),
        ('select "offset" from t order by a', "SELECT `offset` FROM t ORDER BY a NULLS LAST"),
    ],
)
def test_what_spark_says_otherwise_is_said_so(sql, spark):
    assert said(sql) == spark


def test_records_are_taken_apart_within_queries_too():
    text = said("with x as (select unnest(f(b)) from (select unnest(g(a)) from t)) select * from x")

    assert text.count("`_packed0`.*") == 2
    assert "EXPLODE" not in text


@pytest.mark.parametrize("sql", ["select *, unnest(a) from t", "select ("])
def test_what_cannot_be_said_is_an_error(sql):
    with pytest.raises(MeshError, match="cannot be said in Spark's"):
        to_spark(sql)


def files(folder, wanted, found):
    """The rows of a product in a file, and those of another engine in a folder of two."""
    for name, rows in (("wanted", wanted), ("found/a", found[:1]), ("found/b", found[1:])):
        (folder / name).parent.mkdir(exist_ok=True)
        columns = {"n": pa.array([n for _, n in rows], pa.int32())}
        columns |= {"id": pa.array([key for key, _ in rows], pa.string())}
        columns |= {"at": pa.nulls(len(rows), pa.timestamp("us", "UTC"))}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder / "wanted.parquet", folder / "found"


def test_equal_rows_are_equal_in_whatever_order_and_width(tmp_path):
    found = compared(
        ORDERS, *files(tmp_path, [("a", 1), ("b", None)], [("b", None), ("a", 1)]), tmp_path
    )

    assert found.is_equal
    assert (found.rows, found.count_refused) == (2, 0)


def test_each_row_that_only_one_side_has_is_told(tmp_path):
    paths = files(tmp_path, [("a", 1), ("b", 2)], [("a", 1), ("b", 3), ("c", 4)])
    found = compared(ORDERS, *paths, tmp_path)

    assert not found.is_equal
    assert (found.count_missing, found.count_foreign) == (1, 2)
    assert [*found.missing] == ['{"id":"b","n":2,"at":null}']
    assert [*found.foreign] == ['{"id":"b","n":3,"at":null}', '{"id":"c","n":4,"at":null}']


def test_what_the_product_would_not_say_is_left_out(tmp_path):
    made = [("a", 1), (None, 2), ("b", 3), ("b", 4)]
    found = compared(ORDERS, *files(tmp_path, [("a", 1)], made), tmp_path)

    assert found.is_equal
    assert (found.rows, found.count_refused) == (1, 3)
