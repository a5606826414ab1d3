"""The demo's step at the SQL access point: three domains in one query, and an escape that fails."""

from __future__ import annotations

from mesh.cli.app import App
from mesh.cli.demo_checks import check, until
from mesh.cli.sql import ask_sql
from mesh.contract.sql import NOWHERE
from mesh.errors import MeshError, WrongUse

__all__ = ["SQL", "ask_three_domains"]

READER = "ada"
QUERY = (
    "select count(*) as calls, count(distinct contract_number) as contracts"
    " from customer_service.call_center.calls"
    " join identity.key_ring.links on relation = 'phone-number-contract' and from_id = phone_number"
    " join sales.contracts.contracts on contract_number = to_id"
)
SQL = f'mesh sql "{QUERY}"'
ESCAPE = "select * from read_csv('/etc/passwd')"


def ask_three_domains(app: App) -> str:
    """Ask which calls belong to which contracts, twice, and try to read a file."""

    def rows() -> list[int]:
        try:
            found: list[int] = ask_sql(app, QUERY, READER)["rows"][0]
        except WrongUse:
            # A table that is not there yet: the service reads the topics as they come.
            return []
        return found if found[0] else []

    try:
        check(until(rows), "no call belongs to a contract")
    except MeshError as error:
        if NOWHERE not in str(error):
            raise
        return "this machine has no limits for SQL of others, so it is refused"
    check(refuses(app, ESCAPE), "a query read a file of the machine")
    calls, contracts = rows()
    return f"{calls:,} calls belong to {contracts:,} contracts; a query reads no file"


def refuses(app: App, query: str) -> bool:
    """Whether a query has no answer."""
    try:
        ask_sql(app, query, READER)
    except WrongUse:
        return True
    return False
