"""The token: who passes with it, who does not, and that nothing else ever says it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from polyglance.cli.main import app as command
from polyglance.errors import PolyglanceError
from polyglance.search import opening
from polyglance.serve import access
from polyglance.serve import app as application
from polyglance.serve.access import VARIABLE, Token, is_loopback, token_to_show
from polyglance.serve.app import create_app
from support.browser import served

SECRET = "c0ffee-and-cake-for-eight"
EVERYTHING = [
    *("/", "/?q=rot", "/api/v1/search?q=rot", "/api/v1/collection", "/api/v1/openapi.json"),
    *("/static/style.css", "/thumbnail/0000000000000000", "/nowhere", "/health/", "/ready/x"),
]


def basic(password: str, user: str = "ada") -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def closed(app: FastAPI) -> FastAPI:
    searcher = app.state.searcher
    return create_app(searcher.collection, searcher.encoder, token=Token(SECRET))


@pytest.fixture
def client(closed: FastAPI) -> TestClient:
    return TestClient(closed, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("address", EVERYTHING)
def test_nothing_is_answered_without_it(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [
        'Bearer realm="Polyglance"',
        'Basic realm="Polyglance", charset="UTF-8"',
    ]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.post(address).status_code == 401


def test_whether_it_lives_is_told_to_all(client: TestClient) -> None:
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "shown",
    [f"Bearer {SECRET}", f"bearer  {SECRET}", basic(SECRET), basic(SECRET, ""), basic(SECRET, "ü")],
)
def test_with_it_all_is_answered(client: TestClient, shown: str) -> None:
    for address in ("/", "/api/v1/search?q=rot", "/static/style.css"):
        assert client.get(address, headers={"authorization": shown}).status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        *("", SECRET, "Bearer", "Bearer ", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}"),
        *(f"Bearer {SECRET.upper()}", f"Token {SECRET}", basic(""), basic(f"x:{SECRET}")),
        *("Basic", "Basic ====", "Basic ü", f"Basic {SECRET}", basic("", SECRET)),
    ],
)
def test_anything_else_is_refused(client: TestClient, shown: str) -> None:
    headers = {"authorization": shown.encode("latin-1")}
    assert client.get("/api/v1/collection", headers=headers).status_code == 401


def test_two_of_them_are_refused(client: TestClient) -> None:
    headers = [("authorization", "Bearer wrong"), ("authorization", f"Bearer {SECRET}")]
    assert client.get("/api/v1/collection", headers=headers).status_code == 401


def test_tokens_are_compared_in_constant_time(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return False

    monkeypatch.setattr(access, "compare_digest", compare)
    right = {"authorization": f"Bearer {SECRET}"}
    assert client.get("/api/v1/collection", headers=right).status_code == 401
    assert compared == [(SECRET.encode(), SECRET.encode())]


def test_it_is_in_no_log_and_no_answer(
    closed: FastAPI, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    @closed.get("/broken")
    def broken() -> None:
        raise RuntimeError("broken")

    client = TestClient(closed, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    headers = {"authorization": f"Bearer {SECRET}"}
    answers = [
        client.get(address, headers=headers)
        for address in ("/", "/broken", "/api/v1/openapi.json", "/api/v1/search?q=", "/nowhere")
    ]
    assert {answer.status_code for answer in answers} == {200, 400, 404, 500}
    assert all(SECRET not in answer.text + str(answer.headers) for answer in answers)
    printed = capfd.readouterr()
    assert SECRET not in caplog.text + printed.out + printed.err
    assert SECRET not in repr(Token(SECRET))


# where it comes from


def test_the_file_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"  {SECRET}\n")
    monkeypatch.setenv(VARIABLE, "another-one-that-is-long")
    assert token_to_show(tmp_path / "token", host="0.0.0.0") == Token(SECRET)
    assert token_to_show(None, host="0.0.0.0") == Token("another-one-that-is-long")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "a token of 0 characters can be guessed"),
        ("secret", "a token of 6 characters can be guessed"),
        ("correct horse battery", "without spaces"),
        ("pässword-pässword-x", "one word of ASCII characters"),
        ("x" * 1025, "at most 1024 characters"),
    ],
)
def test_what_is_no_token_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "token").write_text(content, "utf-8")
    with pytest.raises(PolyglanceError, match=reason) as refused:
        token_to_show(tmp_path / "token", host="127.0.0.1")
    assert str(refused.value).startswith(str(tmp_path / "token"))
    assert not content or content not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolyglanceError, match=r"token: the token cannot be read: No such file"):
        token_to_show(tmp_path / "token", host="127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_alone_none_is_needed(host: str) -> None:
    assert is_loopback(host)
    assert token_to_show(None, host=host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "attic.example", ""])
def test_beyond_it_one_is_needed_or_a_word(host: str, tmp_path: Path) -> None:
    words = ["serve", "--collection", str(tmp_path / "none"), "--host", host]
    refused = CliRunner().invoke(command, words)
    assert isinstance(refused.exception, PolyglanceError)
    assert "everyone who can reach this machine could search" in str(refused.exception)
    allowed = CliRunner().invoke(command, [*words, "--without-token"])
    assert "there is no collection at" in str(allowed.exception)


@pytest.mark.parametrize(
    ("options", "local_only"),
    [
        *(([host], True) for host in ("127.0.0.1", "127.0.0.2", "0:0:0:0:0:0:0:1", "localhost")),
        (["127.0.0.1", "--without-token"], False),
        (["127.0.0.1", "--token-file", "token"], False),
        (["0.0.0.0", "--token-file", "token"], False),
        (["0.0.0.0", "--without-token"], False),
    ],
)
def test_names_are_checked_where_it_is_waived(
    app: FastAPI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    local_only: bool,
) -> None:
    class BuiltError(Exception):
        pass

    def build(*_searched: object, **how: object) -> FastAPI:
        raise BuiltError(how["local_only"])

    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text(SECRET)
    monkeypatch.setattr(opening, "open_searcher", lambda *_: app.state.searcher)
    monkeypatch.setattr(application, "create_app", build)
    result = CliRunner().invoke(command, ["serve", "--collection", "c", "--host", *options])
    assert isinstance(result.exception, BuiltError)
    assert result.exception.args == (local_only,)


# in the browser


@pytest.fixture
def guarded(closed: FastAPI) -> Iterator[str]:
    with served(closed) as where:
        yield where


@pytest.mark.browser
def test_a_browser_asks_once_and_htmx_searches_with_it(browser: Any, guarded: str) -> None:
    credentials = {"username": "ada", "password": SECRET}
    context = browser.new_context(http_credentials=credentials)
    page = context.new_page()
    statuses: list[tuple[str, int]] = []
    page.on("response", lambda answer: statuses.append((answer.url, answer.status)))
    page.goto(guarded)
    page.wait_for_function("!document.querySelector('[hx-get]:not([data-htmx-powered])')")
    page.fill("#q", "rot")
    page.press("#q", "Enter")
    page.wait_for_url("**/?q=rot*")
    page.wait_for_selector(".tile img")
    page.wait_for_function("[...document.images].every(image => image.naturalWidth)")
    assert SECRET not in page.url
    assert [url for url, status in statuses if status not in {200, 304, 401}] == []
    assert any("/thumbnail/" in url and status == 200 for url, status in statuses)
    context.close()


@pytest.mark.browser
def test_a_browser_with_another_password_sees_nothing(browser: Any, guarded: str) -> None:
    context = browser.new_context(http_credentials={"username": "ada", "password": "guessed"})
    page = context.new_page()
    page.goto(guarded)
    assert "show the token of this server" in page.content()
    assert page.query_selector("img") is None
    context.close()
