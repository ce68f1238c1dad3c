"""The interface in six languages: whole, well formed, and nothing on the page left out of it."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from fastapi.testclient import TestClient

import polyglance
from polyglance.errors import QueryError
from polyglance.serve.interface import CATALOGUES, chosen, interface, spoken

PACKAGE = Path(polyglance.__file__).parent
ATTRIBUTES_ALONE = "links.html"  # of the tags that it is put into
TEMPLATES = [
    file
    for file in sorted((PACKAGE / "serve" / "templates").glob("*.html"))
    if file.name != ATTRIBUTES_ALONE
]
KEYWORDS: dict[str, object] = dict.fromkeys(
    ("_", "gettext", "QueryError", "PictureError", "N_"), None
)
PLURAL = {"ngettext": (1, 2)}
TRANSLATED = [tag for tag in spoken() if tag != "en"]


@pytest.fixture(scope="module")
def messages() -> Catalog:
    """What the package says, by the configuration that translators use."""
    with (CATALOGUES / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = Catalog()
    keywords = {**KEYWORDS, **PLURAL}
    for _, _, message, comments, context in extract_from_dir(
        PACKAGE, methods, options, keywords=keywords
    ):
        found.add(message, auto_comments=comments, context=context)
    assert len(found) > 100
    return found


def catalogue(tag: str) -> Catalog:
    with (CATALOGUES / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=tag, abort_invalid=True)


def test_six_languages() -> None:
    assert set(spoken()) == {"en", "de", "fr", "cs", "ja", "zh"}


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_message_is_translated_and_none_is_left_over(tag: str, messages: Catalog) -> None:
    translated = catalogue(tag)
    assert {m.id for m in messages if m.id} == {m.id for m in translated if m.id}
    assert not translated.obsolete
    for message in translated:
        forms = [message.string] if isinstance(message.string, str) else message.string
        if message.id:
            assert all(form.strip() for form in forms), message.id
            assert not message.fuzzy, message.id


@pytest.mark.parametrize("tag", TRANSLATED)
def test_translations_carry_the_same_values_and_markup(tag: str) -> None:
    for message in catalogue(tag):
        if not message.id:
            continue
        source = message.id if isinstance(message.id, str) else message.id[0]
        forms = [message.string] if isinstance(message.string, str) else message.string
        for form in forms:
            assert sorted(_marks(form)) == sorted(_marks(source)), form


def _marks(text: str) -> Iterator[str]:
    yield from re.findall(r"%\(\w+\)s|<[^>]+>", text)
    yield from (f"{name}!{how}" for _, name, _, how in string.Formatter().parse(text) if name)


class Bare(HTMLParser):
    """Collects words of a template that stand outside ``trans``."""

    READ = ("alt", "aria-label", "placeholder", "title")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self._look(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in self.READ:
                self._look(value or "")

    def _look(self, text: str) -> None:
        self.found += re.findall(r"[^\W\d_]{2,}", text)


NAMES = {"Polyglance", "Enter", "Esc", "Berlin", "km"}  # of the program, of keys, of examples


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_itself(template: Path) -> None:
    source = re.sub(
        r"\{%-?\s*trans\b.*?endtrans\s*-?%\}", "", template.read_text(), flags=re.DOTALL
    )
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    bare = Bare()
    bare.feed(source)
    assert set(bare.found) <= NAMES


def test_scripts_say_nothing() -> None:
    for script in (PACKAGE / "serve" / "static").glob("*.js"):
        assert not re.search(
            r"(textContent|innerText|innerHTML|title) =|alert\(", script.read_text()
        )


@pytest.mark.parametrize(
    ("accepted", "ui", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "", "de"),
        ("pt-BR,cs;q=0.5,fr;q=0.8", "", "fr"),
        ("zh-TW", "", "zh"),
        ("pt", "", "en"),
        ("", "", "en"),
        ("de;q=x,;;,*", "", "en"),
        ("fr;q=0", "", "en"),
        ("de", "ja", "ja"),
        ("de", "../de", "de"),
    ],
)
def test_choice(accepted: str, ui: str, expected: str) -> None:
    assert chosen(ui, accepted).tag == expected


@pytest.mark.parametrize(
    ("tag", "count", "shown"),
    [
        ("en", 1, "1 picture"),
        ("de", 8, "8 Bilder"),
        ("fr", 0, "0 image"),
        ("fr", 300, "300 images"),
        ("cs", 1, "1 obrázek"),
        ("cs", 3, "3 obrázky"),
        ("cs", 8, "8 obrázků"),
        ("ja", 8, "8 件の画像"),
    ],
)
def test_plurals(tag: str, count: int, shown: str) -> None:
    said = interface(tag).translations.ngettext("%(shown)s picture", "%(shown)s pictures", count)
    assert said % {"shown": count} == shown


def test_numbers() -> None:
    assert interface("de").number(12345) == "12.345"
    assert interface("fr").score(0.284) == "0,28"
    assert interface("en").score(0.284) == "0.28"


def test_page_in_german_keeps_the_choice_in_links(client: TestClient) -> None:
    page = client.get("/?q=rot&ui=de").text
    assert '<html lang="de" dir="ltr">' in page
    assert "Sprache nicht angegeben" in page
    assert "8 Bilder" in page
    links = re.findall(r'<a class="like" href="(.*?)"', page)
    assert links
    assert all(link.endswith("&amp;ui=de") for link in links)
    assert '<input type="hidden" name="ui" value="de">' in page


def test_page_in_the_language_of_the_browser(client: TestClient) -> None:
    page = client.get("/?q=rot", headers={"accept-language": "ja,en;q=0.5"}).text
    assert '<html lang="ja"' in page
    assert "言語の指定なし" in page


def test_mistakes_are_told_in_the_language_of_the_page(client: TestClient) -> None:
    page = client.get("/?q=rot&language=german!&ui=de").text
    assert "ist kein Sprachkürzel" in page
    assert "&#39;german!&#39;" in page
    page = client.get("/?since=Mai&ui=fr").text
    assert "depuis : &#39;Mai&#39; n’est pas une date" in page
    answer = client.post("/", files={"image": ("a.jpg", b"nothing")}, data={"ui": "de"})
    assert "Ihr Bild ist nicht lesbar: kein Bild in einem bekannten Format" in answer.text


def test_sentences_without_translation_stay_english() -> None:
    assert interface("de").told(QueryError("{what} is odd", what="this")) == "this is odd"
    assert interface("de").told(QueryError("100 % {odd}")) == "100 % {odd}"
