"""The pages in a real Chromium: light, dark, narrow, by keyboard alone, and without a barrier."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.many import many
from mesh.audit.note import LogKey
from mesh.audit.proof import verified
from tests.audited import audited, audited_shelf
from tests.browser import barriers, find_chromium, opened_browser
from tests.shelves import pages_app, served
from tests.unit.test_catalogue_hostile import HOSTILE, hostile_shelf

CHROMIUM = find_chromium()
SCREENSHOTS = os.environ.get("MESH_SCREENSHOTS")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set MESH_CHROMIUM"
    ),
]
PATHS = (
    "/", "/search?q=phone+numbr", "/products", "/products/call-center", "/products/contracts",
    "/map", "/map?domain=sales", "/identifiers", "/identifiers/phone-number", "/relations",
    "/owners", "/owners/call-center@telco.example", "/policies", "/audit",
    "/products/call-center/changes/calls", "/products/billing/changes/tariffs",
    "/products/billing/history/tariffs?key=T-01", "/products/nope",
)  # fmt: skip
# Of which pictures are taken.
SHOWN = {"home": PATHS[0], "product": PATHS[3], "audit": PATHS[13], "closed": PATHS[14],
         "changes": PATHS[15], "history": PATHS[16]}  # fmt: skip
WIDTHS = (320, 390, 1280)


@pytest.fixture(scope="module")
def browser():
    with opened_browser(str(CHROMIUM)) as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    shelf = audited_shelf()
    with (
        audited(tmp_path_factory.mktemp("audit"), shelf) as door,
        served(pages_app(shelf, audit=door), tmp_path_factory.mktemp("pages")) as client,
    ):
        yield str(client.base_url).rstrip("/")


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def test_no_page_asks_anybody_else_or_is_refused_anything(page, address):
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in PATHS[:-1]:
        page.goto(address + path)

    assert [each for each in asked if not each.startswith(f"{address}/")] == []
    assert said == []


@pytest.mark.parametrize(
    ("scheme", "options"),
    # Colours are all that differs in the dark.
    [("light", {}), ("dark", {"runOnly": ["color-contrast"]})],
    ids=["light", "dark"],
)
def test_a_page_has_no_barrier_that_axe_finds(browser, address, scheme, options):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page, found = context.new_page(), []
    for path in PATHS:
        page.goto(address + path)
        found += [(path, *each) for each in barriers(page, **options)]
    context.close()

    assert found == []


def test_axe_would_find_a_barrier(page, address):
    page.goto(address)
    page.evaluate("document.querySelector('main').innerHTML = '<input><h4>x</h4>'")

    assert {"label", "page-has-heading-one"} <= {rule for rule, _ in barriers(page)}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(browser, address, width):
    """Tables and pictures scroll by themselves, the page does not."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    page, wide = context.new_page(), []
    for path in PATHS:
        page.goto(address + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    context.close()

    assert wide == []


def test_light_and_dark_differ(browser, address):
    found = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(address)
        found.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()

    assert found[0] != found[1]


def focused(page):
    """What has the focus, in words."""
    return page.evaluate(
        "() => { const e = document.activeElement; return (e.getAttribute('aria-label')"
        " || e.textContent || e.name || e.tagName).trim().replace(/\\s+/g, ' ') }"
    )


def test_a_product_is_found_and_its_way_opened_by_the_keyboard_alone(page, address):
    page.goto(f"{address}/products")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("phone numbr")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=phone*")
    walk(page, "Call center")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/call-center")
    walk(page, "HTTP of calls")
    page.keyboard.press("Enter")
    assert page.locator("code[data-way=http][data-port='call-center.calls']").is_visible()
    walk(page, "calls")
    assert page.evaluate("document.activeElement.tagName") == "a"  # a tile of the picture
    walk(page, "Billing")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/billing")


def walk(page, wanted):
    """Press the tabulator until *wanted* has the focus, which must be seen."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if focused(page).startswith(wanted):
            break
    assert focused(page).startswith(wanted)
    style = "(e => e.outlineStyle + ' ' + e.outlineWidth)(getComputedStyle(document.activeElement))"
    inner = "document.activeElement.querySelector('rect')"
    is_seen = page.evaluate(f"{style} !== 'none 0px' || ({inner} && true)")
    assert is_seen, f"nothing shows that {wanted} has the focus"


def test_the_map_is_clicked_through(page, address):
    page.goto(f"{address}/map")
    page.locator("svg.network a", has_text="Key ring").click()
    page.wait_for_url("**/products/key-ring")
    page.locator("svg.network .box a", has_text="contracts").click()
    page.wait_for_url("**/products/contracts")


def test_who_changed_a_row_is_found_from_its_product_and_the_proof_is_downloaded(page, address):
    page.goto(f"{address}/products/billing")
    page.get_by_role("link", name="What changed in tariffs").click()
    page.get_by_label("What became of the row with this key").fill("T-01")
    page.keyboard.press("Enter")
    assert page.locator(".timeline del").inner_text() == "1"
    with page.expect_download() as found:
        page.get_by_role("link", name="proof of").last.click()

    key = page.request.get(f"{address}/audit.json").json()["key"]
    assert found.value.suggested_filename.endswith(".tlog-proof")
    proof = Path(found.value.path()).read_text()
    assert verified(proof, LogKey.parse(key)).log.topic == "pub.billing.tariffs.v1"


def test_the_map_of_five_hundred_products_is_readable(browser, tmp_path):
    """Each name stands within its tile, at twelve pixels or more, and covers no other name."""
    with served(pages_app(many()), tmp_path / "home") as client:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{str(client.base_url).rstrip('/')}/map")
        texts = page.evaluate(
            "[...document.querySelectorAll('.tile')].map(tile => { const t = tile.querySelector("
            "'text').getBoundingClientRect(), r = tile.querySelector('rect')"
            ".getBoundingClientRect(); return {inside: t.left >= r.left && t.right <= r.right"
            " && t.top >= r.top && t.bottom <= r.bottom, size: parseFloat(getComputedStyle("
            "tile.querySelector('text')).fontSize)} })"
        )
        fits = page.evaluate("document.querySelector('.picture').scrollWidth") <= 1176
        context.close()

    assert len(texts) == 500
    assert [each for each in texts if not each["inside"] or each["size"] < 12] == []
    assert fits


@pytest.mark.parametrize("text", [each for each in HOSTILE if each[0] in '<"{\u202e'], ids=ascii)
def test_a_hostile_name_runs_nothing_in_a_browser(page, tmp_path, text):
    asked = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    with served(pages_app(hostile_shelf(text)), tmp_path / "home") as client:
        address = str(client.base_url).rstrip("/")
        for path in ("/", "/map"):
            page.goto(address + path)
        page.context.close()

    assert [each for each in asked if not each.startswith(f"{address}/")] == []


@pytest.mark.skipif(not SCREENSHOTS, reason="set MESH_SCREENSHOTS to a folder to look at pages")
def test_screenshots_are_taken(browser, address):
    folder = Path(SCREENSHOTS)
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 390)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        page = context.new_page()
        for name, path in SHOWN.items():
            page.goto(address + path)
            page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
        context.close()

    assert len(list(folder.glob("*.png"))) >= 6
