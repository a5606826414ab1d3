"""The values that a named query is asked with, judged before they are bound.

Not here: binding itself, which a worker does (`mesh.sql.promise`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from mesh.contract.names import listed, nearest
from mesh.contract.rules import check, fit
from mesh.contract.sandbox import sandbox
from mesh.contract.types import duckdb_type
from mesh.errors import MeshError, WrongUse
from mesh.query.files import ROW, NamedQuery

__all__ = ["values_for"]

ROWS = "asked_with"


def values_for(query: NamedQuery, given: Mapping[str, object]) -> dict[str, object]:
    """The values of all parameters of *query*. Raises `WrongUse` where *given* are not these.

    They stay as they were given: text that is a date to the contract is bound as one.
    """
    names = [each.name for each in query.parameters]
    for name in given:
        if name not in names:
            near = nearest(name, names)
            hint = f"did you mean {near}?" if near else f"there are {listed(names) or 'none'}"
            raise WrongUse(f"{query.name} has no parameter {name}: {hint}")
    if missing := [name for name in names if given.get(name) is None]:
        kinds = {each.name: duckdb_type(each.type) for each in query.parameters}
        wanted = listed(f"{name} ({kinds[name]})" for name in missing)
        raise WrongUse(f"{query.name} is asked with {wanted}: say it as --param name=value")
    if names:
        _judge(query, given)
    return {name: given[name] for name in names}


def _judge(query: NamedQuery, given: Mapping[str, object]) -> None:
    """Raise `WrongUse` for the first value that is not of its type, or breaks its rule."""
    try:
        columns = {name: pa.array([value]) for name, value in given.items()}
        fitted = fit(pa.table({**columns, ROW: pa.array([""])}), query.asked)
    except (pa.ArrowException, OverflowError, MeshError) as error:
        raise WrongUse(f"{query.name} cannot be asked so: {error}") from error
    broken = fitted.violations
    if not broken:
        rows = fitted.table.append_column("_row", pa.array(np.zeros(1, np.int64)))
        with sandbox() as connection:
            connection.register(ROWS, rows)
            broken = check(connection, ROWS, query.asked)
            connection.unregister(ROWS)
    if broken:
        raise WrongUse(f"{query.name} cannot be asked so: {broken[0].reason}")
