"""The demo's step at the catalogue: an owner registers, a bad change and a stranger do not."""

from __future__ import annotations

from dataclasses import replace

from mesh.cli.app import App
from mesh.cli.demo_checks import check
from mesh.cli.read import get_token
from mesh.contract.catalogue import SERVICE
from mesh.errors import Refused

__all__ = ["register_a_product"]

PRODUCT, OWNER, STRANGER = "call-center", "grace", "mallory"


def register_a_product(app: App) -> str:
    """Register a product as its owner, then without its service level, then as a stranger."""
    from mesh.contract.descriptor import descriptor_in
    from mesh.control.registering import put_descriptor

    address = app.address(SERVICE)
    descriptor = descriptor_in(app.project.product(PRODUCT).folder)
    token = get_token(app, OWNER, SERVICE)
    accepted = put_descriptor(address, token, descriptor)
    check(accepted["state"] == "accepted", f"{PRODUCT} was not accepted: {accepted['findings']}")
    before = record_at(address)
    silent = tuple(each.replace("slaProperties:", "tags:") for each in descriptor.contracts)
    refused = put_descriptor(address, token, replace(descriptor, contracts=silent))
    check(refused["state"] == "refused", "a contract without a service level was accepted")
    check(is_shut(app, address), f"{STRANGER} may register {PRODUCT}")
    check(record_at(address) == before, f"{PRODUCT} is not what was accepted")
    # The last verdict is that of what stands.
    put_descriptor(address, token, descriptor)
    return f"{PRODUCT} is accepted as {OWNER}'s; a bad change and {STRANGER} leave it as it was"


def record_at(address: str) -> tuple[object, ...]:
    """What was accepted of the product, and when; what is observed of it changes all the time."""
    from mesh.control.registering import ask_catalogue

    found = ask_catalogue("GET", f"{address}/products/{PRODUCT}")
    return tuple(found[name] for name in ("digest", "descriptor", "accepted_at"))


def is_shut(app: App, address: str) -> bool:
    """Whether a stranger is refused."""
    from mesh.control.registering import ask_catalogue

    try:
        ask_catalogue("DELETE", f"{address}/products/{PRODUCT}", get_token(app, STRANGER, SERVICE))
    except Refused:
        return True
    return False
