"""SQL and access in a real Chromium: the login, the keyboard, no barrier, and no form of others."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh.sql.limits import missing
from tests.access import CALLS, PURPOSE
from tests.browser import barriers, find_chromium, opened_browser
from tests.life import wait_until
from tests.marts import UNLIMITED, put_mart
from tests.models import CARD, SHEET, opened_runs
from tests.queries import named_in
from tests.signed import ORDERS, opened_orders

CHROMIUM = find_chromium()
SCREENSHOTS = os.environ.get("MESH_SCREENSHOTS")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: apt-get install chromium, or set MESH_CHROMIUM"
    ),
    pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux"),
]
BY_ID = f"select id, n from {ORDERS} order by id"
LONG = "select count(*) from range(100000) a, range(100000) b, range(10) c where a.range < b.range"


@pytest.fixture(scope="module")
def browser():
    with opened_browser(str(CHROMIUM)) as found:
        yield found


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    put_mart(folder / "queries")
    with opened_orders(folder, named_in(folder / "queries", UNLIMITED)) as found:
        yield found


@contextmanager
def page_of(browser, signed, who, **options):
    """A page of a browser in which somebody answers what the login asks."""
    login = {"username": who, "password": signed.token(who), "origin": signed.address}
    context = browser.new_context(http_credentials=login, **options)
    page = context.new_page()
    page.goto(f"{signed.address}/sql")
    page.get_by_role("link", name="Sign in").click()
    page.wait_for_url("**/sql")
    try:
        yield page
    finally:
        context.close()


def ask(page, sql, button="Run"):
    """Type a query, and press a button."""
    page.get_by_label("One query over").fill(sql)
    page.get_by_role("button", name=button, exact=True).click()


def test_a_query_is_asked_by_the_keyboard_and_answered_with_a_chart(browser, signed):
    with page_of(browser, signed, "ada") as page:
        page.get_by_label("One query over").focus()
        page.keyboard.type(BY_ID)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Answer").wait_for()

        rows = page.locator("table.sample tbody tr").all_inner_texts()
        assert [each.split() for each in rows] == [["a", "1"], ["b", "2"], ["c", "3"]]
        assert page.locator("svg.chart rect.bar").count() == 3
        assert page.locator("[data-command]").inner_text() == f"mesh sql --as ada '{BY_ID}'\n"
        assert page.get_by_text("partition 0 before 5").is_hidden()
        page.get_by_text("For which offsets it is true").click()
        assert page.get_by_text("partition 0 before 5").is_visible()
        ask(page, BY_ID, "Explain")
        assert "SCAN" in page.get_by_label("The plan of the query").inner_text()


def test_a_table_and_a_column_are_added_by_a_click(browser, signed):
    with page_of(browser, signed, "ada") as page:
        page.locator("summary", has_text=ORDERS).click()
        page.get_by_role("button", name=f"Add the table {ORDERS}").click()
        page.get_by_role("button", name="Run", exact=True).click()
        assert page.locator("table.sample tbody tr").count() == 3
        ask(page, "select nothing from nowhere")
        assert "nowhere" in page.get_by_role("alert").inner_text()


def test_cancel_ends_a_query_that_runs(browser, signed):
    pool = signed.sql.desk.pool
    with page_of(browser, signed, "ada") as page:
        page.get_by_label("One query over").fill(LONG)
        places = {name: middle(page, name) for name in ("Run", "Cancel")}
        # Playwright's own clicks wait for the answer that is under way.
        for name, running in (("Run", 1), ("Cancel", 0)):
            page.mouse.click(*places[name])
            wait_until(lambda: pool.running == running, 10)  # noqa: B023 - called at once
        page.get_by_text("The query was cancelled.").wait_for()

        assert page.get_by_label("One query over").input_value() == LONG


def middle(page, name):
    """Where a button is."""
    box = page.get_by_role("button", name=name, exact=True).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_owner_decides_with_a_click_and_a_second_one_to_be_sure(browser, signed):
    with page_of(browser, signed, "mallory") as page:
        page.goto(f"{signed.address}/products/call-center")
        page.locator("summary", has_text="How to get access to calls").first.click()
        page.locator("form", has=page.locator(f"[value='{CALLS}']")).get_by_role("textbox").fill(
            PURPOSE
        )
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Ask", exact=True).click()
        assert f"{CALLS}: requested for mallory" in page.get_by_role("status").inner_text()

    with page_of(browser, signed, "grace") as page:
        page.goto(f"{signed.address}/access")
        page.get_by_label("How long").first.select_option("for a week")
        page.get_by_role("button", name="Grant mallory").click()
        assert "granted for mallory until" in page.get_by_role("status").inner_text()
        row = page.locator("tr", has_text="mallory")
        assert row.get_by_role("button", name="Yes, revoke it").is_hidden()
        row.locator("summary").click()
        row.get_by_label("Why").fill("It is enough.")
        row.get_by_role("button", name="Yes, revoke it").click()
        assert "revoked for mallory" in page.get_by_role("status").inner_text()

    act = signed.desk.acts[f"{CALLS}/mallory"]
    assert (act.state, act.by, act.reason) == ("revoked", "grace", "It is enough.")


def test_a_page_of_another_origin_cannot_use_the_login(browser, signed, tmp_path):
    """The browser adds the login to a form of anybody; from where it was sent tells them apart."""
    form = (
        f'<form method="post" action="{signed.address}/access/request">'
        f'<input name="port" value="{CALLS}"><input name="purpose" value="x"><button>Win</button>'
    )
    (tmp_path / "evil.html").write_text(form)
    with page_of(browser, signed, "ada") as page:
        before = dict(signed.desk.acts)
        page.goto((tmp_path / "evil.html").as_uri())
        page.get_by_role("button").click()

        assert "not sent from a page of this catalogue" in page.locator("main").inner_text()
    assert signed.desk.acts == before


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 320)])
def test_the_pages_have_no_barrier_and_fit_the_window(browser, signed, scheme, width):
    signed.post("/access/request", "mallory", {"port": CALLS, "purpose": PURPOSE})
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    with page_of(browser, signed, "grace", **options) as page:
        ask(page, BY_ID)
        found = {"sql": look(page, scheme, width, "sql")}
        page.goto(f"{signed.address}/access?port={CALLS}")
        found["access"] = look(page, scheme, width, "access")
        page.goto(f"{signed.address}/queries")
        assert page.get_by_role("rowheader", name="marts.sales.per_n").is_visible()
        found["queries"] = look(page, scheme, width, "queries")
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.goto(f"{signed.address}/sql")
        found["login"] = look(page, scheme, width, "login")

    assert found == dict.fromkeys(("sql", "access", "queries", "login"), ([], True))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_a_model_card_has_its_plots_and_no_barrier(browser, tmp_path, scheme, width):
    with (
        opened_runs(tmp_path) as runs,
        page_of(browser, runs, "dorothy", color_scheme=scheme) as page,
    ):
        page.set_viewport_size({"width": width, "height": 900})
        for name, path in (("card", CARD), ("sheet", SHEET)):
            page.goto(f"{runs.address}{path}")
            assert look(page, scheme, width, name) == ([], True)
        page.goto(f"{runs.address}{CARD}")
        assert page.locator("figure.plot polyline.curve").count() == 8
        assert page.get_by_role("cell", name="0.05").first.is_visible()


def look(page, scheme, width, name):
    """Barriers, and whether the page is no wider than its window."""
    page.wait_for_load_state()
    found = barriers(page)
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
    return found, page.evaluate("document.documentElement.scrollWidth") <= width
