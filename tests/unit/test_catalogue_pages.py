"""The catalogue's pages: each is there as HTML and as JSON, and says what its shelf holds."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx
import pytest

from catalog.pages.rendering import HEADERS
from catalog.pages.sampling import door_of
from tests.audited import audited
from tests.shelves import (
    HTML,
    observed_at,
    pages_app,
    served,
    shipped_shelf,
    with_entries,
)

PATHS = (
    "/",
    "/search?q=phone",
    "/products",
    "/products/call-center",
    "/products/key-ring",
    "/map",
    "/map?domain=sales",
    "/identifiers",
    "/identifiers/phone-number",
    "/relations",
    "/owners",
    "/owners/call-center@telco.example",
    "/policies",
    "/audit",
    "/products/call-center/changes/calls",
    "/sql",
    "/access",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    shelf = shipped_shelf()
    with (
        audited(tmp_path_factory.mktemp("audit"), shelf) as door,
        served(pages_app(shelf, audit=door), tmp_path_factory.mktemp("pages")) as found,
    ):
        yield found


class Links(HTMLParser):
    """The addresses and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.targets |= {found["href"]} if tag == "a" else set()
        self.ids += [found["id"]] if "id" in found else []


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_html_for_people_and_json_for_programs(client, path):
    page, data = client.get(path, headers=HTML), client.get(path)
    bare, _, query = path.partition("?")

    assert page.status_code == data.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert data.headers["content-type"] == "application/json"
    if bare != "/":
        assert client.get(f"{bare}.json?{query}", headers=HTML).json() == data.json()
    assert client.get(f"{bare}?{query}&format=json", headers=HTML).json() == data.json()
    assert client.get(f"{bare}?{query}&format=html").text == page.text


@pytest.mark.parametrize("path", [*PATHS, "/products/nope", "/catalogue.css"])
def test_every_answer_forbids_scripts_and_foreign_styles(client, path):
    for headers in (HTML, {}):
        found = client.get(path, headers=headers).headers

        # Who may keep it, and for whom, differs from page to page.
        same = HEADERS.keys() - {"Cache-Control", "Vary"}
        assert {name: found[name] for name in same} == {name: HEADERS[name] for name in same}
        assert "script-src" not in found["Content-Security-Policy"]
        assert "default-src 'none'" in found["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_script_and_no_style_of_its_own(client, path):
    text = client.get(path, headers=HTML).text

    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", text, re.I)


def test_every_link_leads_somewhere(client):
    seen, waiting = set(), ["/"]
    while waiting:
        path = waiting.pop()
        bare, _, anchor = path.partition("#")
        if path in seen or re.match(r"mailto:|https?:|/login", path):
            continue
        seen.add(path)
        answer = client.get(bare, headers=HTML)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            links = Links(answer.text)
            assert not anchor or anchor in links.ids, path
            assert len(links.ids) == len(set(links.ids)), path
            waiting += [urljoin(bare, each) for each in links.targets]
    assert len(seen) > 40


@pytest.mark.parametrize(
    "path", ["/products/nope", "/identifiers/nope", "/owners/nope", "/map?domain=nope", "/x"]
)
def test_what_is_not_there_is_said_so(client, path):
    assert client.get(path, headers=HTML).status_code == 404
    assert "detail" in client.get(path).json()


def test_a_products_json_has_all_that_its_page_shows(client):
    document = client.get("/products/call-center").json()
    port = document["ports"][0]
    fields = {each["name"]: each for each in port["fields"]}

    assert document["description"]["purpose"].startswith("The calls that customers made")
    assert document["standing"]["rung"] == document["rung"] == "live"
    assert [each["is_reached"] for each in document["standing"]["rungs"]] == [True] * 4 + [False]
    assert fields["phone_number"]["is_personal"]
    assert fields["call_id"]["key_position"] == 1
    assert port["people"] == ["ada", "grace"]
    assert port["promises"][0]["property"] == "latency"
    kinds = [each["kind"] for each in document["lineage"]["read_by"]]
    assert kinds == ["declared", "declared", "observed"]
    assert len(document["history"]) == 48
    assert document["tests"][0]["rows"] == 10_000
    rules = [(each["field"] or "", each["name"]) for each in port["rules"]]
    assert rules == sorted(rules)


def test_a_page_says_what_a_test_of_a_contract_found(client):
    page = client.get("/products/contracts", headers=HTML).text
    assert "<bdi>queue.enum</bdi> by 12" in page
    assert "<bdi>&lt;b&gt;.pattern</bdi> by 1" in page


def test_personal_and_classified_fields_are_masked_though_the_product_sent_them(client):
    sample = client.get("/products/call-center").json()["ports"][0]["sample"]
    row = dict(zip(sample["columns"], sample["rows"][0], strict=True))

    assert (row["phone_number"], row["agent_id"]) == ("***", "***")
    assert (row["queue"], row["site"], row["duration_s"]) == ("billing", None, "300")
    page = client.get("/products/call-center", headers=HTML).text
    assert "+12025550123" not in page
    assert "&lt;b&gt;invoice&lt;/b&gt;" in page


def test_a_product_that_is_away_has_a_page_without_sample(tmp_path):
    def refuse(request):
        raise httpx.ConnectError("nobody is there")

    with served(pages_app(shipped_shelf(), refuse), tmp_path / "home") as client:
        document = client.get("/products/call-center").json()
        page = client.get("/products/call-center", headers=HTML)

    assert document["ports"][0]["sample"] is None
    assert "There are no sample rows now" in page.text


def test_a_product_of_which_nothing_was_seen_has_a_page(tmp_path):
    shelf = shipped_shelf()
    entry = replace(shelf.entries["billing"], standing=None, observed=None, history=())
    shelf = with_entries(shelf, {**shelf.entries, "billing": entry})

    with served(pages_app(shelf), tmp_path / "home") as client:
        texts = [client.get(path, headers=HTML).text for path in ("/", "/map", "/products/billing")]

    assert "has seen nothing of it yet" in texts[2]
    assert "No freshness was observed yet" in texts[2]


def test_a_way_that_does_not_exist_is_not_shown(tmp_path):
    shelf = shipped_shelf()
    entry = observed_at(shelf.entries["call-center"], is_reached=False)
    shelf = with_entries(shelf, {**shelf.entries, "call-center": entry})

    with served(pages_app(shelf), tmp_path / "home") as client:
        ways = client.get("/products/call-center").json()["ports"][0]["ways"]

    assert [each["name"] for each in ways] == ["kafka", "input"]


def test_a_door_is_where_it_was_observed_or_is_known_to_be_and_never_where_nobody_answered():
    entry = shipped_shelf().entries["call-center"]
    known = "http://known".format

    assert door_of(entry, known) == entry.observed.address
    assert door_of(replace(entry, observed=None), known) == "http://known"
    assert door_of(observed_at(entry, address=None), known) == "http://known"
    assert door_of(observed_at(entry, is_reached=False), known) is None


def test_an_empty_catalogue_has_pages(tmp_path):
    shelf = shipped_shelf()
    project = replace(shelf.project, products={}, people={})
    shelf = replace(shelf, project=project, entries={}, edges=())

    with served(pages_app(shelf), tmp_path / "home") as client:
        for path in PATHS:
            if not re.search("/products/|/owners/|domain|/audit", path):
                assert client.get(path, headers=HTML).status_code == 200, path


def test_an_answer_is_not_kept_under_the_other_form(client):
    assert client.get("/map").headers["Vary"] == "Accept"


def test_the_style_sheet_may_be_kept_for_ever_since_its_name_changes_with_it(client):
    page = client.get("/", headers=HTML).text
    href = re.search(r'href="(/catalogue\.css\?v=\w{12})"', page)[1]

    assert "immutable" in client.get(href).headers["Cache-Control"]
