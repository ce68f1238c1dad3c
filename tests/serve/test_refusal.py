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
from polyglance.serve.asgi import App, Message, Receive, Scope, Send
from polyglance.serve.protection import Protection
from support.colours import ColourEncoder
from support.coroutines import apart

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
    protected: Any = Protection(reads_all, local_only=True, max_body=1 << 20)
    client = TestClient(protected, base_url=ADDRESS)
    page = client.post("/", content=b"x" * (1 << 21), headers=headers)
    assert (page.status_code, sentence(page.text)) == (413, told)
    assert page.headers["hx-reswap"] == "innerHTML"
    assert ("<html" in page.text) == ("hx-request" not in headers)
    answer = client.post("/api/v1/search", content=b"x" * (1 << 21), headers=headers)
    assert (answer.status_code, answer.text) == (413, "the upload is larger than 1 MB\n")


async def answered(app: App, receive: Receive) -> tuple[int, str]:
    """Status and sentence of what htmx gets."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = {**HTMX, "host": "127.0.0.1"}
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    return sent[0]["status"], sentence(sent[1]["body"].decode())


async def nothing() -> Message:
    await asyncio.sleep(1)
    raise AssertionError


def test_what_comes_too_slowly() -> None:
    protected = Protection(reads_all, local_only=True, seconds_for_a_body=0.01)
    told = apart(answered(protected, nothing))
    assert told == (408, "was Sie schicken, kommt zu langsam an")


def test_too_many_and_too_late() -> None:
    async def two() -> list[tuple[int, str]]:
        admitted = Admission(
            never_answers,
            reading=Turns(at_once=1, most_waiting=0),
            sending=Turns(at_once=1, most_waiting=0),
            seconds_of_answering=0.05,
        )
        return await asyncio.gather(*(answered(admitted, nothing) for _ in range(2)))

    assert apart(two()) == [
        (503, "die Antwort dauert zu lange; versuchen Sie es in 1 s noch einmal"),
        (503, "zu viele fragen gleichzeitig; versuchen Sie es in 1 s noch einmal"),
    ]


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
