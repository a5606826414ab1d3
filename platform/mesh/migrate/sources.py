"""Finds the products whose ports a query of the SQL access point reads.

Not here: of which columns its own are made (`mesh.contract.sqlsources`).
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from mesh.contract.names import to_snake
from mesh.contract.project import Project
from mesh.errors import WrongUse

__all__ = ["products_in"]


def products_in(sql: str, project: Project) -> tuple[str, ...]:
    """The products by name, each once. Raises `WrongUse` for a table that is no port."""
    known = {
        (to_snake(contract.domain), to_snake(contract.product)): contract.product
        for contract in project.contracts.values()
    }
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise WrongUse(f"the query cannot be read: {str(error).splitlines()[0]}") from error
    own = {each.alias_or_name for each in tree.find_all(exp.CTE)}
    found = set()
    for table in tree.find_all(exp.Table):
        if not table.db and table.name in own:
            continue
        product = known.get((table.catalog, table.db))
        if product is None:
            raise WrongUse(f"{table.sql()} is no port: write domain.product.port")
        found.add(product)
    return tuple(sorted(found))
