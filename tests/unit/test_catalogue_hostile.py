"""Names and texts that others wrote do no harm: HTML, paths, Unicode, and what is no text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest

from catalog.pages.lineage import lineage_picture
from catalog.pages.map import map_picture
from catalog.pages.sampling import LONGEST, Samples
from catalog.pages.texts import clean, fit, link_to, safe_link, width_of
from catalog.shelf import Entry, Shelf
from mesh.contract.lineage import Edge
from tests.shelves import HTML, pages_app, served, shipped_shelf

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; drop table products; --",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "{{ 1234 * 5 }}{% raw %}",
    "\u202egnp.exe",  # right-to-left override
    "مرحبا بالعالم",
    "产品目录" * 40,
    "a\u0301\u0327" * 30,  # many accents
    "\U0001f469\u200d\U0001f4bb\ufe0f",
    "\x00\x07\x1b[31m",
    "\ud800 alone",
    "x" * 5000,
    "?domain=a&b#c",
    "%",
    "</svg></a><a href=javascript:alert(1)>",
    "\u2028\u2029\ufeff",
)


def hostile_shelf(text: str) -> Shelf:
    """The shipped shelf, in which *text* stands wherever others may write."""
    shelf = shipped_shelf()
    entry = shelf.entries["call-center"]
    product = entry.product
    fields = tuple(
        replace(each, description=text, classification=text, name=text if n else each.name)
        for n, each in enumerate(product.outputs[0].contract.fields)
    )
    document = {
        "status": text,
        "schema": [{"description": text}, text],
        "description": {"usage": text},
        "slaProperties": [{"property": text, "value": text, "unit": text}, text, None],
    }
    contract = replace(
        product.outputs[0].contract, description=text, fields=fields, document=document,
        topic=text, purpose=text,
    )  # fmt: skip
    product = replace(
        product, id=text, name=text, domain=text, owner=text, description=text,
        outputs=(replace(product.outputs[0], contract=contract),),
        document={
            "status": text,
            "description": {"purpose": text, "usage": text, "limitations": [text]},
            "support": [{"channel": text, "url": f"javascript:{text}"}, {"url": text}, text],
        },
    )  # fmt: skip
    observed = replace(entry.observed, state=text, reason=text)
    hostile = Entry(
        product=product, standing=entry.standing, observed=observed, history=[observed],
        record={"id": text, "descriptor": {"a": text, "b": float("nan")}},
    )  # fmt: skip
    edges = [
        *shelf.edges,
        Edge(source=f"{text}.x", target=text),
        Edge(source=text, target="billing"),
    ]
    return replace(shelf, entries={**shelf.entries, text: hostile}, edges=edges)


class Harm(HTMLParser):
    """What in a page could run, or be asked of somebody else."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "img", "iframe", "object", "embed", "base", "style"):
            self.found.append(tag)
        for name, value in attrs:
            is_address = name in ("href", "src", "action", "xlink:href")
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.found.append(name)
            elif is_address and not re.match(r"[/#?]|mailto:call-center", value or ""):
                self.found.append(f"{name}={value}")


def harm_in(text):
    return Harm(text).found


def test_harm_would_be_found():
    assert harm_in("<script>x</script>") == ["script"]
    assert harm_in("<a href='javascript:x' onclick='x'>") == ["href=javascript:x", "onclick"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_hostile_name_is_shown_and_does_nothing(text, tmp_path):
    name = quote(text, safe="", errors="replace")
    with served(pages_app(hostile_shelf(text)), tmp_path / "home") as client:
        for path in (
            "/", "/products", "/map", "/owners", f"/products/{name}", f"/map?domain={name}",
            f"/owners/{name}", f"/search?q={name[:900]}", f"/identifiers/{name}",
        ):  # fmt: skip
            page, data = client.get(path, headers=HTML), client.get(path)

            assert page.status_code in (200, 404, 422), path
            assert harm_in(page.text) == []
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", page.text)
            assert "6170" not in page.text
            json.loads(data.content)


def test_the_page_of_a_hostile_name_is_reached_by_the_link_that_leads_to_it(tmp_path):
    for text in ("<b>", "a/b", "..", "?x#y", "مرحبا", "a b"):
        with served(pages_app(hostile_shelf(text)), tmp_path / f"home{ord(text[0])}") as client:
            links = re.findall(
                r'href="(/products/[^"#]*)"', client.get("/products", headers=HTML).text
            )
            reached = [client.get(each, headers=HTML).status_code for each in links]

        # A client folds `..` before it asks, and a server cuts paths at `/`: such ids are refused.
        assert reached.count(200) >= (len(reached) if text not in ("a/b", "..") else 4)


def test_no_label_is_wider_than_its_tile():
    for text in HOSTILE:
        shelf = hostile_shelf(text)
        for picture in (map_picture(shelf), lineage_picture(shelf, shelf.entries[text].product)):
            for tile in picture.tiles:
                assert sum(map(width_of, tile.label)) * 13 <= tile.width


def test_what_utf8_and_html_cannot_carry_is_replaced():
    assert clean("a\ud800b\x00c\n") == "a\ufffdb\ufffdc\n"
    assert clean("عربي ü 漢字") == "عربي ü 漢字"
    assert clean(5) == 5


def test_a_long_text_is_cut_to_its_room():
    assert fit("short", 100) == "short"
    assert fit("x" * 100, 60).endswith("…")
    assert len(fit("漢" * 100, 60)) < len(fit("i" * 100, 60))


def test_a_path_holds_any_name():
    assert link_to("products", "a/b?c#d") == "/products/a%2Fb%3Fc%23d"
    assert link_to("products", "\ud800") == "/products/%3F"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "//x", "x",
                "http://[", "java\nscript:x", "", None, "https:" + "x" * 3000],
)  # fmt: skip
def test_an_address_that_may_run_something_is_no_link(address):
    assert safe_link(address) is None


@pytest.mark.parametrize("address", ["https://a.example/x", "mailto:a@b.example", "HTTP://a"])
def test_an_address_that_leads_to_a_page_or_a_person_is_a_link(address):
    assert safe_link(address) == address


def answered(body: bytes, status: int = 200):
    """The samples of call-center where its door answers *body*."""
    shelf = shipped_shelf()
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    samples = Samples(httpx.Client(transport=transport))
    return samples.of(shelf.entries["call-center"], "http://door", shelf.project.identifiers)


@pytest.mark.parametrize(
    "document",
    [
        [], 5, None, {"product": "billing"}, {"product": "call-center", "ports": 5},
        {"product": "call-center", "ports": [5, {"port": "calls", "sample": 5}]},
        {"product": "call-center", "ports": [{"port": "calls", "sample": {"columns": 5}}]},
    ],
)  # fmt: skip
def test_a_door_that_says_something_else_gives_no_sample(document):
    assert answered(json.dumps(document).encode()) == {}


def test_a_door_that_says_nonsense_or_too_much_gives_no_sample():
    assert answered(b"<html>") == {}
    assert answered(b"[" * 100_000) == {}
    assert answered(b"{}", 500) == {}
    assert answered(b" " * (LONGEST + 1) + b"{}") == {}


def test_columns_that_the_contract_does_not_have_are_not_shown():
    columns = ["secret", "queue", "phone_number"]
    sample = {"columns": columns, "rows": [["s", "q", "+1"], ["too short"], 5]}
    document = {"product": "call-center", "ports": [{"port": "calls", "sample": sample}]}
    found = answered(json.dumps(document).encode())["calls"]

    assert (found.columns, found.rows) == (["phone_number", "queue"], [["***", "q"]])


def test_a_product_that_is_away_is_not_asked_at_every_page():
    shelf, asked = shipped_shelf(), []

    def refuse(request):
        asked.append(request)
        raise httpx.ConnectError("nobody is there")

    samples = Samples(httpx.Client(transport=httpx.MockTransport(refuse)))
    for _ in range(3):
        assert samples.of(shelf.entries["call-center"], "http://door", {}) == {}

    assert len(asked) == 1
