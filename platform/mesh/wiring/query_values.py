"""A query with its parameters fixed, so that it is a function of the data alone.

    fixed(query, {"days": 7})       # `$days` is cast('7' as BIGINT) from now on

Only for a text that its owner keeps and edits from then on: where a query is asked, its values
are bound (`mesh.sql.promise`). Not here: what becomes of the query (`query_product`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import duckdb

from mesh.contract.literals import LiteralProblem, quoted_text
from mesh.contract.names import listed
from mesh.contract.types import duckdb_type
from mesh.errors import WrongUse
from mesh.product.event_lint import nodes
from mesh.query.files import NamedQuery
from mesh.query.values import values_for
from mesh.wiring.query_text import tree_of

__all__ = ["fixed", "with_texts"]

PARAMETER = re.compile(r"\$(\w+)")


def fixed(query: NamedQuery, given: Mapping[str, object]) -> NamedQuery:
    """Return *query* with the values *given* in its text, and without parameters.

    Raises `WrongUse` where these are not the values of its parameters.
    """
    values = values_for(query, given)
    texts = {}
    for each in query.parameters:
        if each.type.is_nested:
            raise WrongUse(f"{each.name} is a list or a record, which no text of a product has")
        try:
            literal = quoted_text(str(values[each.name]))
        except LiteralProblem as problem:
            raise WrongUse(f"{each.name}: {problem}") from problem
        texts[each.name.lower()] = f"cast({literal} as {duckdb_type(each.type)})"
    return replace(query, sql=with_texts(query.sql, texts), parameters=())


def with_texts(sql: str, texts: Mapping[str, str]) -> str:
    """*sql* with what stands in *texts* for each parameter, by its name in lower case."""
    # DuckDB's tree says which parameters there are, and its tokens where: no string, no comment.
    asked = [
        str(each["identifier"]).lower()
        for each in nodes(tree_of(sql))
        if each.get("class") == "PARAMETER"
    ]
    text, whole, names = sql, sql.encode(), []
    # From the end, so that places before it stay where they are.
    for place, kind in reversed(duckdb.tokenize(sql)):
        found = PARAMETER.match(sql, len(whole[:place].decode()))
        if kind == duckdb.token_type.operator and found:
            names.append(found[1].lower())
            text = text[: found.start()] + texts.get(names[-1], "") + text[found.end() :]
    if sorted(names) != sorted(asked) or not texts.keys() >= {*asked}:
        raise WrongUse(f"write each parameter as $name; it has {listed(sorted(texts))}")
    return text
