"""Tests for the row rules of a contract: what they accept, and the hostile ones refused."""

import duckdb
import pytest

from mesh.contract.expression import ExpressionProblem, canonical_expression
from mesh.contract.odcs import rules_of
from mesh.contract.sandbox import sandbox
from mesh.contract.types import duckdb_type, parse_type

COLUMNS = {"a", "b", "at", "started_at", "ended_at", "tags", "s"}


def document(*properties, quality=()):
    return {"schema": [{"properties": list(properties), "quality": list(quality)}]}


def verdicts(property_, values):
    """Return what the property's rules say of each value: true, false or null."""
    type_ = duckdb_type(parse_type(property_))
    tests = [rule.expression for rule in rules_of(document(property_))]
    with sandbox() as connection:
        connection.execute(f'create temp table t ("{property_["name"]}" {type_})')
        connection.executemany("insert into t values (?)", [[value] for value in values])
        both = " and ".join(f"({test})" for test in tests)
        return [row[0] for row in connection.execute(f"select {both} from t").fetchall()]


def field(logical_type, /, *, name="at", **more):
    return {"name": name, "logicalType": logical_type, **more}


def options(logical_type, **values):
    return field(logical_type, logicalTypeOptions=values)


@pytest.mark.parametrize(
    ("property_", "kept", "broken"),
    [
        (field("string", enum=[{"value": "a"}, {"value": "it's"}, {"value": None}]),
         ["a", "it's"], ["b", "", "A"]),
        (field("integer", enum=[{"value": 1}, {"value": 2}]), [1, 2], [3, -1]),
        (field("boolean", enum=[{"value": True}]), [True], [False]),
        (field("date", enum=[{"value": "2026-01-31"}]), ["2026-01-31"], ["2026-02-01"]),
        (options("string", minLength=2, maxLength=3), ["ab", "äöü", "日本"], ["a", "abcd", ""]),
        (options("string", pattern="b+"), ["b", "abba"], ["a", ""]),
        (options("string", pattern="^b$"), ["b"], ["ab", "b\n", "b\nc"]),
        (options("string", pattern="^it's\\d$"), ["it's1"], ["its1"]),
        (options("integer", minimum=0, maximum=9), [0, 9], [-1, 10]),
        (options("integer", exclusiveMinimum=0, exclusiveMaximum=9), [1, 8], [0, 9]),
        (options("integer", multipleOf=5), [0, 5, -10], [1, 7]),
        (options("number", minimum=0.1), [0.1, 1e300], [0.09, -1]),
        (field("number", physicalType="decimal(12,2)", logicalTypeOptions={"minimum": 0.1}),
         ["0.10"], ["0.09"]),
        (options("date", minimum="2026-01-31"), ["2026-01-31"], ["2026-01-30"]),
        (options("timestamp", maximum="2026-01-31T12:00:00+02:00"),
         ["2026-01-31T10:00:00Z"], ["2026-01-31T10:00:01Z"]),
        (field("array", items={"logicalType": "string"}, logicalTypeOptions={"minItems": 1,
         "maxItems": 2, "uniqueItems": True}),
         [["a"], ["a", "b"]], [[], ["a", "b", "c"], ["a", "a"]]),
        (field("array", items={"logicalType": "string", "enum": [{"value": "a"}]}),
         [[], ["a"], ["a", None]], [["b"], ["a", "b"]]),
        (field("object", properties=[{"name": "at", "logicalType": "integer",
         "logicalTypeOptions": {"minimum": 1}}]), [{"at": 1}], [{"at": 0}]),
        (field("array", items={"logicalType": "array", "items": {"logicalType": "integer",
         "logicalTypeOptions": {"maximum": 1}}}), [[[1], [0, 1]]], [[[1], [2]]]),
    ],
)  # fmt: skip
def test_a_promise_about_a_value_is_kept_or_broken(property_, kept, broken):
    found = verdicts(property_, [*kept, *broken, None])

    assert [one is not False for one in found[:-1]] == [True] * len(kept) + [False] * len(broken)
    assert found[-1] is not False


def test_a_rule_says_its_field_its_name_and_why():
    (rule,) = rules_of(document(field("string", name="queue", enum=[{"value": "billing"}])))

    assert (rule.name, rule.field) == ("queue.enum", "queue")
    assert rule.reason == "queue is not one of billing"


def test_required_is_no_rule():
    assert rules_of(document(field("string", required=True))) == ()


def test_a_rule_of_our_engine_is_a_rule_of_the_row():
    quality = {"type": "custom", "engine": "mesh", "name": "order", "implementation": "b >= a"}

    (rule,) = rules_of(
        document(field("integer", name="a"), field("integer", name="b"), quality=[quality])
    )

    assert (rule.name, rule.field, rule.expression) == ("order", None, "(b >= a)")
    assert rule.reason == "does not hold: b >= a"


@pytest.mark.parametrize(
    "quality",
    [
        {"metric": "rowCount", "mustBeGreaterThan": 0},
        {"type": "library", "metric": "duplicateValues", "mustBe": 0},
        {"type": "sql", "query": "select 1", "mustBe": 1},
        {"type": "text", "description": "All is well."},
        {"type": "custom", "engine": "soda", "implementation": "drop table x"},
    ],
)
def test_rules_over_sets_and_of_other_engines_are_not_evaluated(quality):
    assert rules_of(document(field("integer", name="a"), quality=[quality])) == ()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a > 1", "(a > 1)"),
        ("a > 1 -- a comment", "(a > 1)"),
        ("/* why */ a\n> 1", "(a > 1)"),
        ('"at" is not null', '("at" IS NOT NULL)'),
        ("a in (1, 2) and not b", "((a IN (1, 2)) AND (NOT b))"),
        ("(" * 400 + "a" + ")" * 400, "a"),
        ("s.x = 1 or s['x'] = 2", "((s.x = 1) OR (s['x'] = 2))"),
    ],
)
def test_a_harmless_expression_is_printed_in_one_form(text, canonical):
    assert canonical_expression(text, COLUMNS) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "ended_at - started_at < interval 1 day",
        "date_diff('hour', started_at, ended_at) < 4",
        "lower(a) like 'x%' escape '!'",
        "regexp_matches(a, '^x')",
        "a between 1 and 2 or coalesce(b, a) is distinct from 3",
        "list_contains(tags, 'x') and len(tags) < 5",
        "try_cast(a as integer) > 0",
        "year(started_at) >= 2000",
    ],
)
def test_ordinary_rules_are_possible(text):
    assert canonical_expression(text, COLUMNS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "-- nothing",
        "a; drop table calls",
        "a > 1); drop table calls; select (1",
        "a) from secrets --",
        "a\n) from secrets --",
        "1) union select (1",
        "1) union all select (2) from (values (1)) v(\n1",
        "a, b",
        "a as b",
        "*",
        "columns(*)",
        "a.*",
        "#1",
        "? > 1",
        "$x > 1",
        "default",
        "(select 1) = 1",
        "exists (from secrets)",
        "a = any(tags)",
        "a in (select 1)",
        "a in (from read_text('/etc/passwd'))",
        "sum(a) > 1",
        "count(*) > 1",
        "sum(a) over () > 1",
        "row_number() over () = 1",
        "max(a) filter (where b) > 1",
        "unnest(tags) = 'x'",
        "random() > 0.5",
        "now() > started_at",
        "current_timestamp > started_at",
        "current_date > started_at",
        "age(started_at) > interval 1 day",
        "uuid() = a",
        "getenv('HOME') = 'x'",
        "current_setting('threads') = '1'",
        "current_user = 'x'",
        "read_text('/etc/passwd') is not null",
        "read_csv('x') is null",
        "glob('/*') is null",
        "nextval('s') = 1",
        "error('x')",
        "query('drop table x')",
        "repeat('x', 1000000000) = a",
        "replace(a, 'x', 'yyyy') = a",
        "lpad(a, 1000000000, 'x') = a",
        "range(1000000000) = tags",
        "format('{:1000000000}', a) = a",
        "printf('%1000000000d', 1) = a",
        "list_transform(tags, lambda x: x) = tags",
        "[x for x in tags] = tags",
        "memory.main.lower(a) = 'x'",
        "pg_catalog.lower(a) = 'x'",
        "lower(distinct a) = 'x'",
        "a::json = '{}'",
        "a collate nocase = 'x'",
        "_row > 1",
        "rowid > 1",
        "secrets.password = 'x'",
        "not " * 200 + "a",
        "a" * 2000,
        "a or " * 190 + "a or" * 100,
        "(a + " * 160 + "a" + ")" * 160,
        "'unterminated",
        "/* unterminated",
        "$$unterminated",
        "a > 1 \x00",
        "a \ud800",
    ],
)
def test_a_hostile_or_broken_expression_is_refused(text):
    with pytest.raises(ExpressionProblem):
        canonical_expression(text, COLUMNS)


def test_the_sandbox_reaches_no_file(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")

    with sandbox() as connection, pytest.raises(duckdb.PermissionException):
        connection.execute(f"select * from read_csv('{path}')")


def test_the_sandbox_cannot_be_opened():
    with sandbox() as connection, pytest.raises(duckdb.Error):
        connection.execute("set enable_external_access = true")
