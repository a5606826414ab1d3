"""A real Chromium for tests of pages; the browser is the system's, driven by Playwright.

`apt-get install chromium` brings one on Debian; `MESH_CHROMIUM` names another.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["barriers", "find_chromium", "opened_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, if there is one."""
    paths = (shutil.which(each) for each in NAMES)
    return os.environ.get("MESH_CHROMIUM") or next((each for each in paths if each), None)


@contextmanager
def opened_browser(path: str) -> Iterator[Browser]:
    """The Chromium at *path*, running; it asks nobody but the pages' own server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


def barriers(page: Page, **options: object) -> list[tuple[str, str]]:
    """What axe finds on a page, all of which is opened: each rule, and what breaks it.

    Everything of WCAG 2.2 A and AA that it knows, and its best practices.
    """
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    return [(x["id"], node["html"][:100]) for x in found["violations"] for node in x["nodes"]]
