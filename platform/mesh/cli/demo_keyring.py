"""The demo's step at the key ring: from a phone number to a person, in a role, with the path."""

from __future__ import annotations

import time
from collections.abc import Mapping

from mesh.cli.app import App
from mesh.cli.demo_checks import WAIT_S, check
from mesh.cli.feed import feed_product
from mesh.cli.keyring import PORT, ask
from mesh.cli.read import fetch_rows
from mesh.errors import DemoFailed, WrongUse

__all__ = ["RECORDS", "ask_the_ring"]

RECORDS = 2000
SEED = 7
NUMBER, HOLDER = "phone-number-contract", "contract-holder"
Link = Mapping[str, object]


def ask_the_ring(app: App) -> str:
    """Feed the CRM's records, and ask who held the contract of a number, and for the customer."""
    feed_product(app, "contracts", world=(SEED, RECORDS))
    link, holder = wait_for_a_chain(app)
    number, at = str(link["from_id"]), str(latest(link, holder))
    asked = {"from": f"phone:{number}", "to": "person", "role": "holder", "at": at}
    document = ask(app, asked, "ada")
    check(document["answer"] == holder["to_id"], f"{number} led to {document['answer']}")
    said = [hop["authority"] for hop in document["path"]]
    check(said == ["contracts", "contracts"], f"the path is said by {said}")
    check(is_refused(app, number), "somebody is called a customer")
    return f"{number} leads to {document['answer']} as holder; of a customer nobody knows"


def is_refused(app: App, number: str) -> bool:
    """Whether the question for a customer is refused."""
    try:
        ask(app, {"from": f"phone:{number}", "to": "customer"}, "ada")
    except WrongUse:
        return True
    return False


def wait_for_a_chain(app: App) -> tuple[Link, Link]:
    """A link from a number to a contract, and one from that to its holder, once both are there."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        holders = {each["from_id"]: each for each in links(app, HOLDER)}
        for each in links(app, NUMBER):
            if each["to_id"] in holders:
                return each, holders[each["to_id"]]
        time.sleep(0.2)
    raise DemoFailed("the demo does not hold: the key ring knows no number with a holder")


def links(app: App, relation: str, to: str | None = None) -> list[Link]:
    """Links of *relation* that count and have no end, as the port's rows have them."""
    filters = [("relation", relation), ("holds", "true")]
    filters += [("to_id", to)] if to is not None else []
    document = fetch_rows(app, app.project.contract(PORT), 1000, "ada", filters)
    columns, rows = document["columns"], document["rows"]
    assert isinstance(columns, list)  # noqa: S101 - the door's answer, for the type checker
    assert isinstance(rows, list)  # noqa: S101 - the same
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return [each for each in found if each["valid_to"] is None and each["valid_from"] is not None]


def latest(*found: Link) -> object:
    """The instant from which all of *found* are true."""
    return max(str(each["valid_from"]) for each in found)
