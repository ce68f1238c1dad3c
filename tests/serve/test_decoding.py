"""Pictures are decoded a few at a time, whoever asks for what, and no oftener than is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from polyglance.data import decode
from polyglance.search.searcher import DECODED_AT_ONCE
from support.colours import ColourEncoder, picture

ADDRESS = "http://127.0.0.1:8000"


class Decoders:
    """How many decode now, and how many did at most."""

    def __init__(self, opened: Any) -> None:
        self.now = self.most = self.pictures = 0
        self._opened = opened
        self._counting = threading.Lock()

    @contextmanager
    def __call__(self, source: Any) -> Iterator[Any]:
        self._count(1)
        try:
            time.sleep(0.02)
            with self._opened(source) as image:
                yield image
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._counting:
            self.now += change
            self.most = max(self.most, self.now)
            self.pictures += change > 0


@pytest.fixture
def decoders(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Decoders:
    counting = Decoders(decode._opened)
    monkeypatch.setattr(decode, "_opened", counting)
    return counting


def test_a_few_at_a_time_whoever_asks(app: FastAPI, decoders: Decoders, tmp_path: Path) -> None:
    hits = TestClient(app, base_url=ADDRESS).get("/api/v1/search?q=rot").json()["hits"]
    sent = [
        picture(tmp_path / f"{i}.png", "green", size=(40 + i, 30)).read_bytes() for i in range(4)
    ]

    def ask(i: int) -> int:
        client, hit = TestClient(app, base_url=ADDRESS), hits[i % 4]
        if i < 4:
            return client.get(hit["thumbnail"]).status_code
        if i < 8:
            return client.get(f"/heat/{hit['id']}?q=blau&language=de").status_code
        address = "/" if i < 12 else "/api/v1/search/image"
        return client.post(address, files={"image": ("a.png", sent[i % 4])}).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) == {200}
    assert decoders.most == DECODED_AT_ONCE


def test_a_picture_that_was_sent_is_embedded_once(
    client: TestClient, encoder: ColourEncoder, decoders: Decoders, tmp_path: Path
) -> None:
    sent = picture(tmp_path / "q.png", "yellow").read_bytes()
    address = client.post("/", files={"image": ("q.png", sent)}, follow_redirects=False).headers[
        "location"
    ]
    before = encoder.pictures_encoded
    page = client.get(address).text
    assert client.get(f"{address}&q=rot").text != page
    assert client.post("/api/v1/search/image", files={"image": ("q.png", sent)}).json()["hits"]
    assert client.get(address).text.count('class="tile') == page.count('class="tile') > 0
    assert encoder.pictures_encoded == before + 1
    assert decoders.pictures == 2  # for the small one of the page, and for the model
