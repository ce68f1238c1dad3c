"""Queries of several parts on the page: an address holds all of them, and links change one."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from polyglance.errors import QueryError
from polyglance.serve.asked import Asked, Part
from polyglance.serve.uploads import Uploads
from support.colours import ColourEncoder, picture

HTMX = {"hx-request": "true"}
MOSTLY = "mostly &lt;red&gt; &amp; blue.png"

words = st.text(min_size=1).filter(str.strip)
texts = st.builds(
    Part,
    kind=st.just("text"),
    content=words,
    language=st.sampled_from(["", "de", "zh-Hant"]),
    weight=st.sampled_from([1.0, -1.0, 0.5, -0.25, 8.0]),
)
pictures = st.builds(
    Part,
    kind=st.sampled_from(["like", "upload"]),
    content=st.text("0123456789abcdef", min_size=16, max_size=16),
    weight=st.sampled_from([1.0, -1.0, 2.0]),
)


@given(
    st.builds(
        Asked,
        words=st.just("") | words,
        language=st.sampled_from(["", "no", "pt-BR"]),
        parts=st.lists(texts | pictures, max_size=4).map(tuple),
        typed=st.dictionaries(st.sampled_from(["folder", "since", "caption"]), words),
        hybrid=st.booleans(),
        offset=st.sampled_from([0, 60]),
        ui=st.sampled_from(["", "ja"]),
    )
)
def test_an_address_is_the_query(asked: Asked) -> None:
    query = asked.address.partition("?")[2]
    assert Asked.of(QueryParams(query).multi_items()) == asked


def names(html: str) -> list[str]:
    return re.findall(r'<bdi class="name">(.*?)</bdi>', html)


def link(html: str, cls: str, number: int = 0) -> str:
    return unescape(re.findall(rf'<a class="{cls}" href="(.*?)"', html)[number])


def test_texts_are_added_and_subtracted(client: TestClient, encoder: ColourEncoder) -> None:
    page = client.get("/?q=rouge&language=fr&text=青@ja,0.5&text=white@-1").text
    assert names(page)[0] == MOSTLY
    assert names(page)[-1] == "white.png"
    assert encoder.texts_seen == [("rouge", "fr"), ("青", "ja"), ("white", None)]
    assert page.count('type="hidden" name="text"') == 2
    assert 'value="青@ja,0.5"' in page


def test_what_is_added_gets_its_place_in_the_address(client: TestClient) -> None:
    fields = {"q": "rot", "also": "blau", "also_language": "de", "also_weight": "-1"}
    answer = client.get("/", params=fields, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?q=rot&text=blau%40de%2C-1"


def test_links_weigh_turn_and_take_out(client: TestClient) -> None:
    page = client.get("/?q=rot&text=blau&folder=red").text
    assert link(page, "weigh") == "/?q=rot&text=blau%400.5&folder=red"
    assert link(page, "weigh", 1) == "/?q=rot&text=blau%402&folder=red"
    assert link(page, "sign") == "/?q=rot&text=blau%40-1&folder=red"
    assert link(page, "remove", 0) == "/?text=blau&folder=red"
    assert link(page, "remove", 1) == "/?q=rot&folder=red"
    assert names(client.get(link(page, "remove", 0)).text)[0] == MOSTLY


def test_pictures_that_are_named_are_not_found(client: TestClient) -> None:
    hits = client.get("/api/v1/search?q=rot").json()["hits"]
    page = client.get(f"/?q=rot&like={hits[0]['id']}").text
    assert hits[0]["path"] == "red/red.png"
    assert names(page)[0] == MOSTLY
    assert "red.png" not in names(page)
    assert len(names(page)) == 7


def test_mistakes_can_be_taken_out(client: TestClient) -> None:
    for part in ("like=0000000000000000", "upload=ffff", "text=blau@0"):
        answer = client.get(f"/?q=rot&{part}", headers=HTMX)
        assert answer.status_code == 400
        assert "That did not work" in answer.text
        assert link(answer.text, "remove", 1) == "/?q=rot"


def test_an_uploaded_picture_has_an_address(client: TestClient, tmp_path: Path) -> None:
    content = picture(tmp_path / "q.png", "yellow").read_bytes()
    files = {"image": ("../my beach.png", content)}
    answer = client.post("/", files=files, data={"folder": "yellow"}, follow_redirects=False)
    assert answer.status_code == 303
    address = answer.headers["location"]
    assert re.fullmatch(r"/\?upload=[0-9a-f]{32}&folder=yellow", address)
    page = client.get(address).text
    assert names(page) == ["yellow.png"]
    assert "Like your picture <bdi>my beach.png</bdi>" in page
    (shown,) = re.findall(r'<img src="(/upload/.*?)"', page)
    assert client.get(shown).headers["content-type"] == "image/jpeg"
    assert client.get("/upload/..%2F..%2Fetc").status_code == 404


def test_uploads_are_forgotten_oldest_first(tmp_path: Path) -> None:
    red, blue = (picture(tmp_path / f"{c}.png", c).read_bytes() for c in ("red", "blue"))
    uploads = Uploads(decoding=BoundedSemaphore(), bytes_kept=len(red) + len(blue) - 1)
    first, second = uploads.keep("red.png", red), uploads.keep("blue.png", blue)
    assert uploads[second].name == "blue.png"
    with pytest.raises(QueryError, match="no longer kept"):
        uploads[first]


@pytest.mark.parametrize(
    ("address", "direction"),
    [
        ("/?q=أزرق", ' dir="rtl"'),
        ("/?q=3+azul", ' dir="ltr"'),
        ("/?q=blue&language=he", ' dir="rtl"'),
    ],
)
def test_results_run_as_the_words_do(client: TestClient, address: str, direction: str) -> None:
    assert f'<ol class="grid"{direction}>' in client.get(address).text
