"""The demo's step at the unified view: a number is ported, and the rows of both users say so."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from mesh.cli.app import App
from mesh.cli.demo_checks import check, until
from mesh.cli.demo_keyring import NUMBER, links
from mesh.cli.feed import opened, staging_ports
from mesh.cli.read import fetch_rows

__all__ = ["look_at_both_users"]

PRODUCT, OWNER = "customer-profile", "florence"
Row = Mapping[str, object]


def look_at_both_users(app: App) -> str:
    """Port the number of somebody who called, and see it go in one row and come in another."""
    check(until(lambda: next(callers(app), None)), "no user of a number has called")
    link, before = next(callers(app))
    other = next(each for each in users(app) if each["subject_id"] != before["subject_id"])
    contract = contracts_of(app, other)[0]
    began = time.monotonic()
    port_number(app, link, contract)

    def is_ported() -> bool:
        now = {str(each["subject_id"]): each["count_numbers"] for each in users(app)}
        one, two = (now.get(str(each["subject_id"])) for each in (before, other))
        return one == count(before) - 1 and two == count(other) + 1

    check(until(is_ported), f"{link['from_id']} is still where it was")
    seconds = time.monotonic() - began
    after = next(each for each in users(app) if each["subject_id"] == before["subject_id"])
    check(after["count_calls"] == before["count_calls"], "calls of before went along")
    return (
        f"{link['from_id']} went from {before['subject_id']} to {other['subject_id']}, as users, in"
        f" {seconds:.1f} s; the calls of before stay with the one who made them"
    )


def users(app: App) -> list[Row]:
    """The rows of users whose contracts run."""
    filters = [("role", "user"), ("count_contracts.gte", "1")]
    contract = app.project.contract(f"{PRODUCT}.profiles")
    document = fetch_rows(app, contract, 1000, OWNER, filters)
    columns, rows = document["columns"], document["rows"]
    assert isinstance(columns, list)  # noqa: S101 - the door's answer, for the type checker
    assert isinstance(rows, list)  # noqa: S101 - the same
    return [dict(zip(columns, row, strict=True)) for row in rows]


def callers(app: App) -> Iterator[tuple[Row, Row]]:
    """A number's link to its contract, and the row of whoever uses it and has called."""
    for row in users(app):
        if row["count_calls"] and row["count_numbers"]:
            for contract in contracts_of(app, row):
                yield from ((link, row) for link in links(app, NUMBER, contract))


def contracts_of(app: App, row: Row) -> list[str]:
    """The contracts that somebody uses."""
    found = links(app, "contract-user", str(row["subject_id"]))
    return [str(each["from_id"]) for each in found]


def port_number(app: App, link: Row, contract: str) -> None:
    """Say as the CRM that a number goes to another contract: one link ends, another begins."""
    import pyarrow as pa

    from mesh.contract.types import arrow_schema
    from mesh.product.mapping import FileBatch

    port = next(each for each in staging_ports(app, "contracts") if each.name == "number-changes")
    now = datetime.now(UTC)
    both = {"phone_number": link["from_id"], "retracted": False, "written_at": now}
    began = datetime.fromisoformat(str(link["valid_from"]))
    ended = {"statement_id": f"{link['link_id']}-ported", "link_id": link["link_id"],
             "contract_number": link["to_id"], "valid_from": began, "valid_to": now,
             "revision": 9}  # fmt: skip
    begun = {"statement_id": f"{link['link_id']}-next", "link_id": f"{link['link_id']}-next",
             "contract_number": contract, "valid_from": now, "revision": 1}  # fmt: skip
    schema = arrow_schema(app.project.input_contract(port))
    rows = pa.Table.from_pylist([both | ended, both | begun], schema)
    with opened(app, port) as feed:
        for _ in feed.run([FileBatch(table=rows, bad=())], lambda _: None):
            pass


def count(row: Row) -> int:
    """How many numbers a row says."""
    return int(str(row["count_numbers"]))
