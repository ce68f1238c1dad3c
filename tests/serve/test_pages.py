"""The page as HTML, with and without htmx."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from polyglance.search import nearest
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from polyglance.serve.languages import native_name
from support.colours import ColourEncoder, picture

HTMX = {"hx-request": "true"}


def names(page: str) -> list[str]:
    return re.findall(r'<bdi class="name">(.*?)</bdi>', page)


def test_start_shows_the_collection(client: TestClient) -> None:
    page = client.get("/").text
    assert page.startswith("<!doctype html>")
    assert len(names(page)) == 8
    assert "8 pictures" in page


def test_query_in_the_address_works_without_javascript(client: TestClient) -> None:
    page = client.get("/", params={"q": "ein grünes Bild", "language": "de"}).text
    assert page.startswith("<!doctype html>")
    assert names(page)[0] == "green.png"
    assert 'value="ein grünes Bild"' in page
    assert '<option value="de" lang="de" selected>Deutsch</option>' in page
    assert re.search(r"searched as <bdi lang=\"de\">Deutsch</bdi> \(de\)", page)


def test_htmx_gets_the_results_alone(client: TestClient) -> None:
    answer = client.get("/?q=rot", headers=HTMX)
    assert answer.text.startswith("<title>rot · Polyglance</title>")
    assert '<main id="results"' in answer.text
    assert "<!doctype" not in answer.text
    assert "HX-Request" in answer.headers["vary"]
    back = client.get("/?q=rot", headers={**HTMX, "hx-history-restore-request": "true"})
    assert back.text.startswith("<!doctype html>")


def test_language_that_was_not_given_is_said(client: TestClient) -> None:
    assert ">language not given<" in client.get("/?q=rot").text
    page = client.get("/?q=red").text
    assert 'language not given, perhaps <bdi lang="en">English</bdi>' in page


def test_language_that_was_not_given_is_guessed_and_reaches_the_model(
    client: TestClient, encoder: ColourEncoder
) -> None:
    page = client.get("/?q=ein+rotes+Bild").text
    assert 'searched as <bdi lang="de">Deutsch</bdi> (de, guessed)' in page
    assert encoder.texts_seen == [("ein rotes Bild", "de")]
    (view, *_) = re.findall(r'href="(/view/[^"]*)"', page)
    client.get(html.unescape(view))
    assert encoder.texts_seen[-1] == ("ein rotes Bild", "de")  # in the viewer as well


def test_norwegian_survives(client: TestClient, encoder: ColourEncoder) -> None:
    page = client.get("/?q=et+bilde&language=no").text
    assert encoder.texts_seen == [("et bilde", "no")]
    assert "searched as" in page
    assert "(no)" in page
    assert "The model was not trained on no" in page
    assert '<option value="no" lang="no" selected>Norsk</option>' in page


def test_more_like_this(client: TestClient) -> None:
    red = client.get("/api/v1/search?q=rot").json()["hits"][0]["id"]
    page = client.get(f"/?like={red}").text
    assert re.search("More like <bdi>red.png</bdi>", page)
    assert names(page)[0] == "mostly &lt;red&gt; &amp; blue.png"
    assert "red.png" not in names(page)


def test_more_like_this_keeps_the_words(client: TestClient) -> None:
    page = client.get("/?q=blau&language=de").text
    blue = client.get("/api/v1/search?q=blau").json()["hits"][0]["id"]
    assert f'class="like" href="/?q=blau&amp;language=de&amp;like={blue}"' in page
    assert f'class="less" href="/?q=blau&amp;language=de&amp;like={blue}%40-1"' in page
    page = client.get(f"/?q=blau&language=de&like={blue}").text
    assert 'value="blau"' in page
    assert names(page)[0] == "mostly &lt;red&gt; &amp; blue.png"


def test_names_and_queries_are_escaped(client: TestClient) -> None:
    page = client.get("/", params={"q": "<script>alert('rot')</script>"}).text
    assert "<script>alert" not in page
    assert "mostly &lt;red&gt; &amp; blue.png" in page


def test_captions_are_shown_in_the_language_asked(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", "red")
    captions = {"en": ["A red thing."], "ja": ["赤いもの。"]}
    manifest = tmp_path / "pictures.jsonl"
    manifest.write_text(json.dumps({"image": "1.png", "captions": captions}) + "\n")
    encoder = ColourEncoder()
    index(manifest, tmp_path / "collection", encoder=encoder)
    app = create_app(Collection.open(tmp_path / "collection"), encoder)
    client = TestClient(app, base_url="http://127.0.0.1")
    for query, shown in (
        ("/?q=赤&language=ja", '<bdi class="name" lang="ja">赤いもの。</bdi>'),
        ("/?q=rot&language=de", '<bdi class="name" lang="en">A red thing.</bdi>'),
        ("/", '<bdi class="name" lang="en">A red thing.</bdi>'),
    ):
        assert shown in client.get(query).text


def test_mistakes_are_told_in_a_fragment(client: TestClient) -> None:
    answer = client.get("/?q=rot&language=german!", headers=HTMX)
    assert answer.status_code == 400
    assert "is not a language tag" in answer.text
    answer = client.get("/?like=0000000000000000", headers=HTMX)
    assert "there is no picture" in answer.text
    answer = client.post("/", files={"image": ("a.jpg", b"nothing")}, headers=HTMX)
    assert "not a picture" in answer.text
    answer = client.post("/", files={"image": ("", b"x")}, headers=HTMX)
    assert answer.status_code in {400, 422}


def test_upload(client: TestClient, tmp_path: Path) -> None:
    upload = picture(tmp_path / "query.png", "yellow").read_bytes()
    answer = client.post("/", files={"image": ("my beach.png", upload)}, headers=HTMX)
    assert "Like your picture <bdi>my beach.png</bdi>" in answer.text
    assert names(answer.text)[0] == "yellow.png"


def test_empty_collection(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    encoder = ColourEncoder()
    index(tmp_path / "photos", tmp_path / "collection", encoder=encoder)
    app = create_app(Collection.open(tmp_path / "collection"), encoder)
    client = TestClient(app, base_url="http://127.0.0.1")
    assert "No pictures yet" in client.get("/").text
    assert "No pictures yet" in client.get("/?q=rot").text
    assert client.get("/api/v1/search?q=rot").json()["hits"] == []


def test_pictures_indexed_meanwhile_are_found(
    client: TestClient, photos: Path, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "SECONDS_BETWEEN_LOOKS", 0.0)
    assert "purple2.png" not in client.get("/?q=lila").text
    picture(photos / "purple2.png", "purple", size=(30, 30))
    index(photos, photos.parent / "collection", encoder=encoder)
    assert "purple2.png" in client.get("/?q=lila").text


def test_native_names() -> None:
    assert native_name("de") == "Deutsch"
    assert native_name("pt-BR") == "Português (pt-BR)"
    assert native_name("tlh") == "tlh"


def test_filters_alone_tell_how_many_pass(client: TestClient) -> None:
    assert ">1–2 of 2<" in client.get("/?folder=red").text
    assert " of 8<" not in client.get("/").text
