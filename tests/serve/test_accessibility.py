"""The page under axe, which finds what WCAG forbids: names, roles, order, contrast."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 760}

STATES = {
    "start": ("/", None, None),
    "results": ("/?q=rot&language=de", None, None),
    "parts": ("/?q=rot&text=blau@de,-0.5", ".add summary", ".adding input"),
    "filters": ("/?q=rot&min_size=10", None, None),
    "nothing passes": ("/?q=rot&since=2024", None, None),
    "mistake": ("/?q=rot&language=german!", None, None),
    "right to left": ("/?q=أزرق&language=ar", None, None),
    "other interface": ("/?q=rot&ui=ja", None, None),
    "why": ("/?q=rot", ".tile .why", ".why.shown"),
    "viewer": ("/?q=rot", ".tile .picture", "dialog[open] .seen"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_violations(browser: Any, address: str, scheme: Any, size: Any) -> None:
    axe = Axe()
    options = {"color_scheme": scheme, "viewport": size, "has_touch": size is PHONE}
    context = browser.new_context(**options, reduced_motion="reduce")
    page = context.new_page()
    for state, (path, click, brought) in STATES.items():
        page.goto(address + path)
        if click:
            page.locator(click).first.dispatch_event("click")
            page.locator(brought).first.wait_for()
        found = axe.run(page).response["violations"]
        told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert told == [], state
    context.close()


def test_the_view_without_javascript(browser: Any, address: str) -> None:
    axe = Axe()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/?q=rot")
    page.goto(address + str(page.locator(".why").first.get_attribute("href")))
    assert page.get_by_text("The brighter a place").is_visible()
    assert axe.run(page).response["violations"] == []
    context.close()


def test_axe_finds_what_is_wrong(browser: Any, address: str) -> None:
    axe = Axe()
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.evaluate("document.querySelector('.tile img').removeAttribute('alt')")
    found = {each["id"] for each in axe.run(page).response["violations"]}
    assert "image-alt" in found
    context.close()
