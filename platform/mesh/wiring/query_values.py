"""A query with its parameters fixed, so that it is a function of the data alone.

    fixed(query, {"days": 7})       # `$days` is cast('7' as BIGINT) from now on

Only for a text that its owner keeps and edits from then on: where a query is asked, its values
are bound (`mesh.sql.promise`). Not here: what becomes of the query (`query_product`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import duckdb

from mesh.contract.names import listed
from mesh.contract.types import duckdb_type
from mesh.errors import WrongUse
from mesh.product.event_lint import nodes
from mesh.query.files import NamedQuery
from mesh.query.values import values_for
from mesh.wiring.query_text import tree_of

__all__ = ["fixed", "with_texts"]


def fixed(query: NamedQuery, given: Mapping[str, object]) -> NamedQuery:
    """Return *query* with the values *given* in its text, and without parameters.

    Raises `WrongUse` where these are not the values of its parameters.
    """
    values = values_for(query, given)
    texts = {}
    for each in query.parameters:
        if each.type.is_nested:
            raise WrongUse(f"{each.name} is a list or a record, which no text of a product has")
        literal = str(values[each.name]).replace("'", "''")
        texts[each.name.lower()] = f"cast('{literal}' as {duckdb_type(each.type)})"
    return replace(query, sql=with_texts(query.sql, texts), parameters=())


def with_texts(sql: str, texts: Mapping[str, str]) -> str:
    """*sql* with what stands in *texts* for each parameter, by its name in lower case."""
    # DuckDB's tree says which parameters there are, and its tokens where: no string, no comment.
    whole = sql.encode()
    tokens = [(place, kind.name) for place, kind in duckdb.tokenize(sql)]
    ends = [*(place for place, _ in tokens[1:]), len(whole)]
    places = []
    for (place, kind), (name_at, _), end in zip(tokens, tokens[1:], ends[1:], strict=False):
        if kind == "operator" and whole[place:name_at] == b"$":
            name = name_of(whole[name_at:end])
            places.append((place, name_at + len(name), name.decode().lower()))
    asked = [str(each["identifier"]).lower() for each in nodes(tree_of(sql)) if is_asked(each)]
    if sorted(asked) != sorted(name for _, _, name in places) or not {*asked} <= texts.keys():
        raise WrongUse(f"write each parameter as $name; it has {listed(sorted(texts))}")
    for place, end, called in reversed(places):
        whole = whole[:place] + texts[called].encode() + whole[end:]
    return whole.decode()


def name_of(token: bytes) -> bytes:
    """The name that *token* begins with; blanks and a comment may follow it."""
    text = token.decode()
    count = next((n for n, each in enumerate(text) if not (each == "_" or each.isalnum())), None)
    return text[:count].encode()


def is_asked(node: Mapping[str, object]) -> bool:
    """Whether a node of DuckDB's tree is a parameter."""
    return node.get("class") == "PARAMETER"
