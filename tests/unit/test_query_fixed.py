"""A query with its parameters fixed: each value where its parameter was, and nowhere else."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import duckdb
import pytest
from click.testing import CliRunner

from mesh.cli.main import mesh
from mesh.errors import WrongUse
from mesh.product.event_lint import nodes
from mesh.wiring.query_text import tree_of
from mesh.wiring.query_values import fixed, with_texts
from tests.publishing import QUERIES_BY_NAME, published
from tests.repository import ROOT

COMMAND = """\
mesh query publish repeat-callers --as callers --param since=2026-01-01 --param days=7"""


def test_the_command_writes_the_values_into_the_products_text(tmp_path, monkeypatch):
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setenv("MESH_PROJECT", str(tmp_path))
    done = CliRunner().invoke(mesh, [*shlex.split(COMMAND)[1:], "--json"], catch_exceptions=False)
    sql = (tmp_path / "products" / "callers" / "callers.sql").read_text()

    assert "days is 7 from now on, in callers.sql" in json.loads(done.output)["notes"]
    assert "started_at >= cast('2026-01-01' as DATE)" in sql
    assert "to_days(cast('7' as BIGINT)::integer)" in sql


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "is asked with since (DATE), days (BIGINT)"),
        ({"since": "2026-03-01", "days": "x"}, "whole number"),
        ({"since": "2026-03-01", "day": "7"}, "did you mean days?"),
    ],
)
def test_a_query_without_the_values_of_its_parameters_is_no_product(tmp_path, values, said):
    with pytest.raises(WrongUse, match=re.escape(said)):
        published(tmp_path, QUERIES_BY_NAME["repeat-callers"], values=values)

    assert list((tmp_path / "products").iterdir()) == []


@pytest.mark.parametrize("text", ["$day", "'$day'", 'max("$day")', "$$ $day $$", "$x$ $day $x$"])
@pytest.mark.parametrize("comment", ["-- $day", "/* $day */", ""])
def test_a_value_is_put_where_a_parameter_is_and_nowhere_else(text, comment):
    sql = f"select {text}, $Day /* é */ , {{a: $day }} {comment}\nfrom (select 'é' as \"$day\") t"
    sql += " group by all having count(*) < length($day) -- $day"
    value = "it's $day; -- x"
    literal = f"cast('{value.replace(chr(39), 2 * chr(39))}' as VARCHAR)"

    found = with_texts(sql, {"day": literal})

    assert duckdb.sql(found).fetchall() == duckdb.execute(sql, {"day": value}).fetchall()
    for wrong in (sql.replace("$Day", "$other"), sql.replace("$Day", "?")):
        with pytest.raises(WrongUse):
            with_texts(wrong, {"day": literal})


def test_a_value_is_a_constant_and_never_sql():
    value = "C'; drop table x; -- $month"
    made = fixed(
        QUERIES_BY_NAME["calls-of-a-contract"], {"contract_number": value, "month": "2026-01-01"}
    )
    constants = [
        each["value"]["value"]
        for each in nodes(tree_of(made.sql))
        if each.get("class") == "CONSTANT" and "value" in each["value"]
    ]

    assert (made.parameters, constants.count(value)) == ((), 1)
