"""Refusals before the application: on the page in its language, in the API in English."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from polyglance.errors import CollectionError
from polyglance.search.collection import Collection
from polyglance.serve.access import Token
from polyglance.serve.admission import Admission, Turns
from polyglance.serve.app import create_app
from polyglance.serve.asgi import Message, Receive, Scope, Send
from polyglance.serve.protection import Protection
from support.colours import ColourEncoder

ADDRESS = "http://127.0.0.1:8000"
BROWSER = {"accept": "text/html,*/*;q=0.8", "accept-language": "de-AT,de;q=0.9"}
HTMX = {"accept": "text/html", "hx-request": "true", "accept-language": "de"}
MINE = HTMX | {"hx-current-url": f"{ADDRESS}/?q=rot&ui=fr"}


async def reads_all(_scope: Scope, receive: Receive, _send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


async def never_answers(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.sleep(1)


def sentence(page: str) -> str:
    found = re.search(r'<p dir="auto">(.*?)</p>', page)
    assert found, page
    return unescape(found[1])


@pytest.fixture
def locked(app: FastAPI) -> TestClient:
    collection: Collection = app.state.searcher.collection
    token = Token("0123456789abcdef")
    return TestClient(create_app(collection, ColourEncoder(), token=token), base_url=ADDRESS)


def test_without_the_token(locked: TestClient) -> None:
    page = locked.get("/", headers=BROWSER)
    assert page.status_code == 401
    assert '<html lang="de" dir="ltr">' in page.text
    assert sentence(page.text).startswith("zeigen Sie das Token dieses Servers")
    assert "src=" not in page.text  # it would be refused, too
    assert "href=" not in page.text
    assert len(page.headers.get_list("www-authenticate")) == 2
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert sentence(locked.get("/?ui=cs", headers=BROWSER).text).startswith("předložte token")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/search?q=rot&ui=de", BROWSER),
        ("/", {"accept-language": "de"}),
        ("/thumbnail/x", {}),
    ],
)
def test_programs_are_told_in_english(
    locked: TestClient, path: str, headers: dict[str, str]
) -> None:
    answer = locked.get(path, headers=headers)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        "show the token of this server: as a bearer, or as the password of any user\n"
    )


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (BROWSER, "was Sie schicken, ist größer als 1 MB"),
        (HTMX, "was Sie schicken, ist größer als 1 MB"),
        (MINE, "l’envoi dépasse 1 Mo"),
        (MINE | {"hx-current-url": "http://[/?ui=fr"}, "was Sie schicken, ist größer als 1 MB"),
    ],
)
def test_what_is_too_large(headers: dict[str, str], told: str) -> None:
    protected = Protection(reads_all, local_only=True, max_body=1 << 20)
    client = TestClient(protected, base_url=ADDRESS)
    page = client.post("/", content=b"x" * (1 << 21), headers=headers)
    assert (page.status_code, sentence(page.text)) == (413, told)
    assert page.headers["hx-reswap"] == "innerHTML"
    assert ("<html" in page.text) == ("hx-request" not in headers)
    answer = client.post("/api/v1/search", content=b"x" * (1 << 21), headers=headers)
    assert (answer.status_code, answer.text) == (413, "the upload is larger than 1 MB\n")


def test_what_comes_too_slowly() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.sleep(1)
        raise AssertionError

    headers = {**HTMX, "host": "127.0.0.1"}
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(
        Protection(reads_all, local_only=True, seconds_for_a_body=0.01)(scope, receive, send)
    )
    assert sent[0]["status"] == 408
    assert sentence(sent[1]["body"].decode()) == "was Sie schicken, kommt zu langsam an"


@pytest.mark.parametrize(
    ("most_waiting", "waiting", "told"),
    [
        (0, 0.0, "zu viele fragen gleichzeitig; versuchen Sie es in 1 s noch einmal"),
        (9, 9.0, "die Antwort dauert zu lange; versuchen Sie es in 1 s noch einmal"),
    ],
)
def test_too_many_and_too_late(most_waiting: int, waiting: float, told: str) -> None:
    def turns() -> Turns:
        return Turns(at_once=1 if most_waiting else 0, most_waiting=most_waiting)

    admitted = Admission(
        never_answers,
        reading=turns(),
        sending=turns(),
        seconds_of_waiting=waiting,
        seconds_of_answering=0.01,
    )
    client = TestClient(admitted, base_url=ADDRESS)
    page = client.get("/", headers=HTMX)
    assert (page.status_code, sentence(page.text)) == (503, told)
    assert page.headers["retry-after"] == "1"


def test_a_collection_that_cannot_be_read(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_arguments: Any, **_options: Any) -> None:
        raise CollectionError("/home/ada/c: damaged")

    monkeypatch.setattr(app.state.searcher.neighbours, "sample", damaged)
    monkeypatch.setattr(app.state.searcher.neighbours, "nearest", damaged)
    page = client.get("/?ui=cs", headers=BROWSER)
    assert (page.status_code, sentence(page.text)) == (503, "sbírku teď nelze přečíst")
    answer = client.get("/api/v1/search?q=rot", headers=BROWSER)
    assert answer.status_code == 503
    assert answer.json() == {"detail": "the collection cannot be read at present"}
