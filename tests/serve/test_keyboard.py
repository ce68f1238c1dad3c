"""The page without a mouse, with a picture dropped on it, and through the dialog, in Chromium."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from support.colours import picture

pytestmark = pytest.mark.browser


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.title"))


def expect_focus(page: Any, title: str) -> None:
    """Waits for it: a dialog tells that it is closed only in a later turn of the page."""
    page.wait_for_function("title => document.activeElement.title === title", arg=title)


def search(page: Any, words: str) -> None:
    page.locator("#q").fill(words)
    page.get_by_role("button", name="Search", exact=True).click()


def test_slash_arrows_enter_escape(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=rot")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "red/red.png"
    page.keyboard.press("ArrowRight")
    second = focused(page)
    assert second != "red/red.png"
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring != "none"

    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("heading", name=second.split("/")[1]).wait_for()
    page.keyboard.press("ArrowLeft")
    dialog.get_by_role("heading", name="red.png", exact=True).wait_for()
    dialog.get_by_label("Picture before").wait_for(state="hidden")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    expect_focus(page, "red/red.png")
    assert page.url == f"{address}/?q=rot"


def test_arrows_go_down_and_up_by_place(page: Any, address: str) -> None:
    page.set_viewport_size({"width": 700, "height": 800})
    page.goto(f"{address}/?q=rot")
    page.keyboard.press("ArrowDown")
    page.locator(".picture").first.focus()
    before = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    page.keyboard.press("ArrowDown")
    after = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    assert after["top"] > before["bottom"]
    page.keyboard.press("ArrowUp")
    assert focused(page) == "red/red.png"


def test_arrows_are_mirrored_where_words_run_from_the_right(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=أزرق&language=ar")
    page.locator(".picture").first.focus()
    page.keyboard.press("ArrowLeft")
    index = "[...document.querySelectorAll('.picture')].indexOf(document.activeElement)"
    assert page.evaluate(index) == 1


def test_why_and_more_in_the_dialog(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=blau")
    page.locator(".picture[title*=mostly]").click()
    page.locator("dialog").get_by_text("Why this?").click()
    page.locator("dialog").get_by_alt_text("brightest where the model sees").wait_for()
    page.locator("dialog").get_by_text("More like this").click()
    page.get_by_role("heading", name="blau + mostly").wait_for()
    page.locator("dialog[open]").wait_for(state="detached")


def test_the_way_back_closes_the_picture(page: Any, address: str) -> None:
    search(page, "rot")
    page.get_by_role("heading", name="rot").wait_for()
    search(page, "blau")
    page.get_by_role("heading", name="blau").wait_for()
    dialog = page.locator("dialog[open] .seen")
    page.locator(".picture").first.click()
    dialog.wait_for()
    page.keyboard.press("ArrowRight")
    dialog.get_by_role("heading", name="mostly").wait_for()
    page.go_back()
    dialog.wait_for(state="detached")
    assert page.url == f"{address}/?q=blau"
    page.get_by_role("heading", name="blau").wait_for()

    page.locator(".picture").first.click()
    dialog.get_by_text("More like this").click()
    page.get_by_role("heading", name="blau + blue.png").wait_for()
    page.go_back()
    page.get_by_role("heading", name="blau", exact=True).wait_for()
    page.locator(".picture").first.click()
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.wait_for_function("() => !history.state.viewing")
    page.go_back()
    page.get_by_role("heading", name="rot").wait_for()


def test_a_late_picture_does_not_open_the_viewer_again(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=rot")
    page.locator(".picture").first.click()
    page.locator("dialog[open] .seen").wait_for()
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/view/*", hold)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#busy.htmx-request')")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('#busy.htmx-request')")
    assert held
    assert page.locator("dialog[open]").count() == 0


def test_focus_and_count_go_on_with_the_next_results(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=rot")
    assert page.locator("#found").text_content() == ""
    page.locator("#found").evaluate("each => { window.found = each }")
    page.locator(".tile .like").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="rot + red.png").wait_for()
    page.wait_for_function("() => document.activeElement.id === 'results'")
    page.wait_for_function(
        "() => window.found.isConnected && window.found.textContent.trim() === '7 best of 8'"
    )
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('#busy.htmx-request')")
    assert page.evaluate("document.activeElement.id") == "q"


@pytest.mark.parametrize("kind", ["image/png", ""])
def test_a_dropped_picture_is_searched_by(page: Any, tmp_path: Path, kind: str) -> None:
    content = b64encode(picture(tmp_path / "mine.png", "yellow").read_bytes()).decode()
    page.evaluate(
        """([content, type]) => {
             const bytes = Uint8Array.from(atob(content), each => each.charCodeAt(0));
             const dataTransfer = new DataTransfer();
             dataTransfer.items.add(new File([bytes], "mine.png", { type }));
             const send = name => document.body.dispatchEvent(
               new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
             send("dragover");
             if (!document.querySelector("#drop.over")) throw new Error("no sign of the drop");
             send("drop");
           }""",
        [content, kind],
    )
    page.get_by_role("heading", name="Like your picture mine.png").wait_for()
    assert page.locator(".tile .name").first.text_content() == "yellow.png"
    page.wait_for_url("**/?upload=*")


@pytest.mark.parametrize(("text", "taken"), [("", True), ("words and their picture", False)])
def test_a_pasted_picture_is_searched_by_unless_text_comes_with_it(
    page: Any, text: str, taken: bool
) -> None:
    default = page.evaluate(
        """text => {
             const clipboardData = new DataTransfer();
             clipboardData.items.add(new File(["?"], "mine.png", { type: "image/png" }));
             if (text) clipboardData.items.add(text, "text/plain");
             const paste = new ClipboardEvent(
               "paste", { clipboardData, bubbles: true, cancelable: true });
             return document.getElementById("q").dispatchEvent(paste);
           }""",
        text,
    )
    assert default is not taken


def test_a_picture_of_the_page_is_dragged_to_search_by_it(page: Any, address: str) -> None:
    page.goto(f"{address}/?q=blau")
    page.locator(".picture[title*=mostly]").drag_to(page.locator("#q"))
    page.get_by_role("heading", name="blau + mostly").wait_for()


def test_parts_stay_with_other_words(page: Any, address: str, tmp_path: Path) -> None:
    page.goto(f"{address}/?q=rot&ui=en")
    page.get_by_text("Add words").click()
    page.get_by_label("Words to add").fill("blau")
    page.get_by_label("Their language").select_option("de")
    page.get_by_role("button", name="Without").click()
    page.get_by_role("heading", name="rot − blau").wait_for()
    page.wait_for_url(f"{address}/?q=rot&text=blau%40de%2C-1&ui=en")
    page.get_by_label("Describe a picture").fill("weiß")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("heading", name="weiß − blau").wait_for()
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "yellow"))
    page.get_by_role("heading", name="weiß − blau + mine.png").wait_for()

    page.get_by_role("link", name="Deutsch").click()
    page.get_by_role("button", name="Suchen", exact=True).wait_for()
    page.get_by_role("heading", name="weiß − blau + mine.png").wait_for()
    page.get_by_role("link", name="Entfernen: weiß").click()
    page.get_by_role("heading", name="− blau + mine.png").wait_for()
    assert page.locator("#q").input_value() == ""
