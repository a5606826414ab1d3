"""The catalogue's pages beside a real SQL access point and access service, without Kafka."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx

from catalog.pages.signed import Work
from catalog.services import Services
from catalog.shelf import Shelf
from catalog.together import Together
from mesh.backbone.endpoint import Principal
from mesh.contract.access import ACCESS_SERVICE
from mesh.contract.catalogue import PAGES
from mesh.contract.model import Contract
from mesh.contract.sql import SQL_SERVICE
from mesh.control.tokens import check_token, issue_token, public_key
from mesh.wiring.access import app_of
from mesh.wiring.sql_named import NOTHING, Named
from tests.access import Desk
from tests.life import wait_until
from tests.shelves import HTML, pages_app, served, shipped_shelf
from tests.sql import Access, messages_of, opened_access

__all__ = ["ORDERS", "Signed", "opened_orders", "signed_pages"]

ORDERS = "sales.shop.orders"


@dataclass(kw_only=True)
class Signed:
    """The pages, and what stands behind them."""

    client: httpx.Client
    sql: Access
    desk: Desk
    addresses: dict[str, str]
    together: Together

    @property
    def address(self) -> str:
        """Where the pages are."""
        return str(self.client.base_url).rstrip("/")

    def token(self, who: str, audience: str | None = PAGES) -> str:
        """What a person signs in with."""
        secret = f"secret of {who}"
        return issue_token(self.sql.home, Principal(name=who, secret=secret), audience)

    def headers(self, who: str, **more: str) -> Mapping[str, str]:
        """What a browser sends from a page of the catalogue, once somebody is signed in."""
        login = base64.b64encode(f"{who}:{self.token(who)}".encode()).decode()
        return {**HTML, "Authorization": f"Basic {login}", "Origin": self.address, **more}

    def post(self, path: str, who: str, form: Mapping[str, str], **more: str) -> httpx.Response:
        """Send a form, as a browser does."""
        return self.client.post(path, data=form, headers=self.headers(who, **more))


@contextmanager
def signed_pages(
    folder: Path, more: Contract | None = None, named: Named = NOTHING
) -> Iterator[Signed]:
    """Pages on which ada, grace and mallory may sign in; grace owns the call centre.

    With a port *more* dorothy may, too, and read that. Some may be limited to *named* queries.
    """
    desk = Desk(shipped_shelf().project)
    with opened_access(folder / "sql", more=more, named=named) as sql:
        key = public_key(sql.home)
        app = app_of(sql.home, desk.desk, lambda: desk.now)

        def shelf() -> Shelf:
            return replace(shipped_shelf(), project=desk.book.project)

        addresses = {SQL_SERVICE: str(sql.client.base_url).rstrip("/")}
        work = Work(
            shelf=shelf,
            check=partial(check_token, key=key, audience=PAGES),
            services=Services(address=addresses.get),
        )
        grace = Principal(name="grace", secret="secret of grace")
        together = Together(
            client=sql.client,
            address=partial(addresses.get, SQL_SERVICE),
            token=lambda name: issue_token(sql.home, grace, name),
        )
        with (
            served(app, folder / "access") as access,
            served(pages_app(shelf(), work=work, together=together), folder / "pages") as client,
        ):
            addresses[ACCESS_SERVICE] = str(access.base_url).rstrip("/")
            yield Signed(client=client, sql=sql, desk=desk, addresses=addresses, together=together)


@contextmanager
def opened_orders(folder: Path, named: Named = NOTHING) -> Iterator[Signed]:
    """The same with three orders, which ada and grace may read, and marts of them."""
    with signed_pages(folder, named=named) as found:
        found.sql.put.put(messages_of([("a", 1), ("b", 2), ("c", 3)]))
        wait_until(lambda: found.sql.rows(f"select count(*) from {ORDERS}") == [[3]])
        found.sql.marts.step()
        yield found
