"""The page as people use it, in headless Chromium."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support.colours import picture

pytestmark = pytest.mark.browser


def search(page: Any, words: str, language: str = "") -> None:
    page.get_by_label("Describe a picture").fill(words)
    page.get_by_label("Language of your words").select_option(language)
    page.get_by_role("button", name="Search", exact=True).click()


def names(page: Any) -> list[str]:
    return list(page.locator(".tile .name").all_text_contents())


def all_thumbnails_show(page: Any) -> bool:
    return bool(
        page.evaluate(
            """async () => {
                 const pictures = [...document.querySelectorAll('.tile img')];
                 pictures.forEach(each => each.loading = 'eager');
                 await Promise.all(pictures.map(each => each.decode()));
                 return pictures.length > 0 && pictures.every(each => each.naturalWidth > 0);
               }"""
        )
    )


def test_german_query_then_more_like_this_then_back(page: Any, address: str) -> None:
    search(page, "ein grünes Bild", "de")
    page.get_by_role("heading", name="ein grünes Bild").wait_for()
    assert names(page)[0] == "green.png"
    page.wait_for_function("document.title === 'ein grünes Bild · Polyglance'")
    assert page.locator("body title").count() == 0
    assert all_thumbnails_show(page)
    page.get_by_text("searched as Deutsch (de)").wait_for()
    page.wait_for_url(f"{address}/?q=ein+gr%C3%BCnes+Bild&language=de")

    page.locator(".tile", has_text="red.png").first.hover()
    page.locator(".tile", has_text="red.png").first.get_by_text("More like this").click()
    page.get_by_role("heading", name="ein grünes Bild + red.png").wait_for()
    assert "red.png" not in names(page)
    page.wait_for_url(re.compile(r"/\?q=ein\+gr%C3%BCnes\+Bild&language=de&like="))
    page.get_by_role("link", name="Take out: ein grünes Bild").click()
    page.get_by_role("heading", name="More like red.png").wait_for()

    page.go_back()
    page.get_by_role("heading", name="ein grünes Bild + red.png").wait_for()

    page.go_back()
    page.get_by_role("heading", name="ein grünes Bild", exact=True).wait_for()
    assert names(page)[0] == "green.png"


def test_after_the_way_back_the_whole_page_works(page: Any, address: str, tmp_path: Path) -> None:
    search(page, "rot")
    page.get_by_role("heading", name="rot").wait_for()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Folder").fill("blue")
    search(page, "blau", "de")
    page.get_by_role("heading", name="blau").wait_for()
    page.go_back()
    page.get_by_role("heading", name="rot").wait_for()
    assert page.locator("#q").input_value() == "rot"
    assert page.get_by_label("Folder").input_value() == ""

    page.locator(".picture").first.click()
    page.locator("dialog[open] .seen").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    search(page, "gelb")
    page.wait_for_url(f"{address}/?q=gelb")
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "yellow"))
    page.get_by_role("heading", name="gelb + mine.png").wait_for()
    page.get_by_role("link", name="Deutsch").click()
    page.wait_for_url(re.compile("q=gelb&upload=.*&ui=de"))


def test_of_two_wishes_the_last_counts(page: Any, address: str) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/?q=ro", hold)
    search(page, "ro")
    page.wait_for_function("() => document.querySelector('#busy.htmx-request')")
    search(page, "rot")
    page.get_by_role("heading", name="rot").wait_for()
    assert held
    page.wait_for_function("() => !document.querySelector('#busy.htmx-request')")
    assert page.url == f"{address}/?q=rot"


def test_the_same_picture_is_chosen_again(page: Any, tmp_path: Path) -> None:
    mine = picture(tmp_path / "mine.png", "yellow")
    page.locator("#image").set_input_files(mine)
    page.get_by_role("heading", name="Like your picture mine.png").wait_for()
    page.wait_for_function("() => !document.getElementById('image').value")
    page.get_by_label("Describe a picture").fill("rot")
    page.locator("#image").set_input_files(mine)
    page.get_by_role("heading", name="rot + mine.png").wait_for()


def test_a_field_that_hinders_the_search_is_shown(page: Any) -> None:
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Shorter side, from").fill("-5")
    page.get_by_text("Filters", exact=True).click()
    page.locator("#filters:not([open])").wait_for()
    search(page, "rot")
    page.wait_for_function("() => document.activeElement.name === 'min_size'")
    assert page.get_by_label("Shorter side, from").is_visible()


def test_why_this_picture_and_back(page: Any) -> None:
    search(page, "blau", "de")
    page.get_by_role("heading", name="blau").wait_for()
    tile = page.locator(".tile", has_text="mostly")
    tile.hover()
    tile.get_by_text("Why this?").click()
    lit = page.get_by_alt_text("brightest where the model sees")
    lit.wait_for()
    assert lit.evaluate("async each => { await each.decode(); return each.naturalWidth }") == 48
    assert len(names(page)) == 8  # in place, among the others
    page.wait_for_function("document.activeElement.textContent.includes('Just the picture')")

    tile.get_by_text("Just the picture").click()
    lit.wait_for(state="detached")
    assert all_thumbnails_show(page)


def test_reload_gives_the_same_page(page: Any) -> None:
    search(page, "bleu", "fr")
    page.get_by_role("heading", name="bleu").wait_for()
    before = names(page)
    page.reload()
    assert names(page) == before
    assert page.get_by_label("Language of your words").input_value() == "fr"


def test_arabic_runs_from_right_to_left(page: Any) -> None:
    search(page, "أزرق", "ar")
    page.get_by_role("heading", name="أزرق").wait_for()
    assert names(page)[0] == "blue.png"
    ways = {
        each: page.locator(each).first.evaluate("each => getComputedStyle(each).direction")
        for each in (".grid", "#results h1", "#q", "#results", ".status .chip", ".parts")
    }
    assert [each for each, way in ways.items() if way == "rtl"] == [".grid", "#results h1", "#q"]
    page.locator(".picture").first.click()
    page.locator("dialog[open] .deeds").wait_for()
    way = page.locator("dialog .deeds").evaluate("each => getComputedStyle(each).direction")
    assert way == "ltr"


def test_search_by_an_own_picture(page: Any, tmp_path: Path) -> None:
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "yellow"))
    page.get_by_role("heading", name="Like your picture mine.png").wait_for()
    assert names(page)[0] == "yellow.png"


def test_own_picture_and_words_count_together(page: Any, tmp_path: Path) -> None:
    page.get_by_label("Describe a picture").fill("rot")
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "blue"))
    page.get_by_role("heading", name="rot + mine.png").wait_for()
    assert names(page)[0] == "mostly <red> & blue.png"


def test_filters_stay_in_the_address(page: Any, address: str, tmp_path: Path) -> None:
    search(page, "rot")
    page.get_by_role("heading", name="rot").wait_for()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Folder").fill("blue")
    page.get_by_role("button", name="Apply").click()
    page.locator(".chip", has_text="1 best of 1").wait_for()
    assert names(page) == ["blue.png"]
    page.wait_for_url(f"{address}/?q=rot&folder=blue")
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "yellow"))
    page.get_by_role("heading", name="rot + mine.png").wait_for()
    assert names(page) == ["blue.png"]
    page.wait_for_url(re.compile(r"/\?q=rot&upload=.*&folder=blue$"))

    page.goto(f"{address}/?q=rot&since=2024-06")
    page.get_by_role("heading", name="No picture passes the filters").wait_for()
    assert page.get_by_label("From", exact=True).input_value() == "2024-06-01"
    page.goto(f"{address}/?since=2024-06&kind=png")
    page.get_by_role("heading", name="No picture passes the filters").wait_for()
    second = page.locator(".note .described > span").nth(1)
    assert second.evaluate("it => getComputedStyle(it, '::before').content") == '", "'
    page.goto(f"{address}/?q=rot&since=2024-06")
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_role("heading", name="rot").wait_for()
    assert len(names(page)) == 8


def test_without_javascript(browser: Any, address: str, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    search(page, "gelb", "de")
    page.get_by_role("heading", name="gelb").wait_for()
    assert names(page)[0] == "yellow.png"
    page.locator(".tile .like").first.click()
    page.get_by_role("heading", name="gelb + yellow.png").wait_for()
    page.get_by_text("Add words").click()
    page.get_by_label("Words to add").fill("weiß")
    page.get_by_role("button", name="Without").click()
    page.get_by_role("heading", name="gelb + yellow.png − weiß").wait_for()
    page.goto(f"{address}/?q=gelb&language=de")
    page.locator(".tile .why").first.click()
    page.get_by_text("The brighter a place").wait_for()
    page.get_by_role("link", name="Back to all pictures").click()
    page.get_by_role("heading", name="gelb").wait_for()
    assert page.get_by_text("Searching").is_hidden()
    page.locator("#image").set_input_files(picture(tmp_path / "mine.png", "red"))
    page.get_by_role("button", name="Go").click()
    page.get_by_role("heading", name="Like your picture mine.png").wait_for()
    context.close()


def test_filters_without_javascript(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Shape").select_option("portrait")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("heading", name="No picture passes the filters").wait_for()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system(browser: Any, address: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{address}/?q=rot")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    context.close()


def test_narrow_screen_has_no_sideways_scrolling(browser: Any, address: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640}, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}/?q=rot")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.locator(".tile .picture").first.tap()
    page.locator("dialog[open] .seen").wait_for()
    for deed in ("Why this?", "More like this", "Less like this"):
        assert page.locator("dialog .deed", has_text=deed).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, as WCAG 2 defines it."""
    channels = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_number_of_filters_follows_the_hits(page: Any) -> None:
    summary = page.locator("#filters summary")
    assert summary.inner_text() == "Filters"
    summary.click()
    page.get_by_label("Folder").fill("red")
    page.get_by_label("Shorter side, from").fill("10")
    search(page, "rot")
    page.get_by_role("heading", name="rot").wait_for()
    page.get_by_text("Filters (2)").wait_for()
    assert page.locator("#filter-count").count() == 1
    page.get_by_label("Folder").fill("")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("Filters (1)").wait_for()
    page.get_by_label("Shorter side, from").fill("")
    page.get_by_role("button", name="Apply").click()
    page.locator("#filter-count:empty").wait_for(state="attached")
