"""The JSON API: what it finds, what it refuses, and what it never hands out."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from polyglance.errors import ModelError
from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from polyglance.serve.protection import MAX_BODY_BYTES
from polyglance.serve.why import WHOLE
from support.colours import ColourEncoder, picture


def best(answer: Any) -> dict[str, Any]:
    hit: dict[str, Any] = answer.json()["hits"][0]
    return hit


@pytest.mark.parametrize(
    ("words", "language", "colour"),
    [("ein rotes Bild", "de", "red"), ("緑", "ja", "green"), ("أزرق", "ar", "blue")],
)
def test_search_in_a_language(
    client: TestClient, encoder: ColourEncoder, words: str, language: str, colour: str
) -> None:
    answer = client.get("/api/v1/search", params={"q": words, "language": language, "top": 3})
    assert answer.status_code == 200
    assert best(answer)["path"] == f"{colour}/{colour}.png"
    assert len(answer.json()["hits"]) == 3
    assert answer.json()["language"] == language
    assert encoder.texts_seen == [(words, language)]  # it reached the model as it was given


def test_scores_fall(client: TestClient) -> None:
    scores = [hit["score"] for hit in client.get("/api/v1/search?q=rot").json()["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1, abs=0.01)


def test_language_not_given_is_said(client: TestClient) -> None:
    answer = client.get("/api/v1/search?q=rot").json()
    assert (answer["language"], answer["guesses"]) == ("und", [None])


def test_language_not_given_is_guessed_and_reaches_the_model(
    client: TestClient, encoder: ColourEncoder
) -> None:
    answer = client.get("/api/v1/search?q=ein rotes Bild").json()
    [guess] = answer["guesses"]
    assert answer["language"] == guess["language"] == "de"
    assert guess["used"]
    assert guess["probability"] > 0.9
    terms = [{"text": "ein rotes Bild"}, {"text": "赤", "language": "zh"}, {"text": "red"}]
    answer = client.post("/api/v1/search", json={"terms": terms}).json()
    assert answer["languages"] == ["de", "zh", "und"]
    assert answer["guesses"][1] is None
    assert (answer["guesses"][2]["language"], answer["guesses"][2]["used"]) == ("en", False)
    assert encoder.texts_seen == [
        ("ein rotes Bild", "de"),
        ("ein rotes Bild", "de"),
        ("赤", "zh"),
        ("red", None),
    ]


def test_hybrid_search_tells_the_ranks(photos: Path, encoder: ColourEncoder) -> None:
    manifest = photos / "m.jsonl"
    lines = [
        {"image": f"{colour}/{colour}.png", "captions": {"de": [caption]}}
        for colour, caption in {"red": "Mohn im Feld", "blue": "Meer"}.items()
    ]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    index(manifest, photos.parent / "captioned", encoder=encoder)
    app = create_app(Collection.open(photos.parent / "captioned"), encoder)
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    asked = client.get("/api/v1/search?q=blauer Mohn&language=de&hybrid=true").json()
    ranks = [(hit["path"], hit["vector_rank"], hit["text_rank"]) for hit in asked["hits"]]
    assert ranks == [("red/red.png", 2, 1), ("blue/blue.png", 1, None)]
    question = {"terms": [{"text": "blauer Mohn", "language": "de"}], "hybrid": True}
    assert client.post("/api/v1/search", json=question).json()["hits"] == asked["hits"]
    best_by_vectors = best(client.get("/api/v1/search?q=blauer Mohn"))
    assert (best_by_vectors["path"], best_by_vectors["vector_rank"]) == ("blue/blue.png", None)


def test_hybrid_search_without_captions_is_refused(client: TestClient, photos: Path) -> None:
    answer = client.get("/api/v1/search?q=rot&hybrid=true")
    assert answer.status_code == 400
    assert "has a caption" in answer.json()["detail"]
    assert str(photos.parent) not in answer.text


@pytest.mark.parametrize(
    ("parameters", "status", "reason"),
    [
        ({"q": "  "}, 400, "the query is empty"),
        ({"q": "rot", "language": "german!"}, 400, "is not a language tag"),
        ({"q": "rot", "top": 0}, 422, "greater than or equal to 1"),
        ({"q": "rot", "top": 100_000}, 422, "less than or equal to 200"),
        ({"q": "r" * 3000}, 422, "at most 2000 characters"),
        ({}, 422, "Field required"),
    ],
)
def test_bad_searches(
    client: TestClient, parameters: dict[str, Any], status: int, reason: str
) -> None:
    answer = client.get("/api/v1/search", params=parameters)
    assert answer.status_code == status
    assert reason in answer.text


def test_similar_leaves_itself_out(client: TestClient) -> None:
    red = best(client.get("/api/v1/search?q=rot"))
    hits = client.get(f"/api/v1/similar/{red['id']}").json()["hits"]
    assert hits[0]["path"] == "red/mostly <red> & blue.png"
    assert red["id"] not in [hit["id"] for hit in hits]


@pytest.mark.parametrize("key", ["0" * 16, "x" * 16, "1", "0' OR id != '0", "..%2F..%2Fetc"])
def test_unknown_pictures(client: TestClient, key: str) -> None:
    for address in ("/api/v1/similar/", "/thumbnail/", "/picture/"):
        assert client.get(address + key).status_code == 404


def test_search_by_image(client: TestClient, tmp_path: Path) -> None:
    upload = picture(tmp_path / "query.png", "green").read_bytes()
    answer = client.post("/api/v1/search/image", files={"image": ("query.png", upload)})
    assert best(answer)["path"] == "green/green.png"
    assert answer.json()["language"] is None


def test_search_by_image_and_words(client: TestClient, tmp_path: Path) -> None:
    upload = picture(tmp_path / "query.png", "blue").read_bytes()
    answer = client.post(
        "/api/v1/search/image",
        files={"image": ("query.png", upload)},
        data={"q": "rouge", "language": "fr", "top": 1},
    )
    assert best(answer)["path"] == "red/mostly <red> & blue.png"


def test_upload_that_is_no_picture(client: TestClient) -> None:
    answer = client.post("/api/v1/search/image", files={"image": ("a.png", b"no picture")})
    assert answer.status_code == 400
    assert "not a picture" in answer.json()["detail"]


def test_upload_with_too_many_pixels(client: TestClient) -> None:
    bomb = BytesIO()
    Image.new("1", (20_000, 10_000)).save(bomb, "PNG")
    answer = client.post("/api/v1/search/image", files={"image": ("a.png", bomb.getvalue())})
    assert answer.status_code == 400
    assert "more than the limit" in answer.json()["detail"]


def test_upload_that_is_too_large(client: TestClient) -> None:
    answer = client.post("/api/v1/search/image", content=b"0" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413


def test_upload_in_chunks_that_is_too_large(client: TestClient) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    answer = client.post(
        "/api/v1/search/image",
        content=iter([head, *[b"0" * (1 << 20)] * ((MAX_BODY_BYTES >> 20) + 1)]),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 413
    assert "larger than 40 MB" in answer.text


def test_collection_is_described(client: TestClient, encoder: ColourEncoder) -> None:
    about = client.get("/api/v1/collection").json()
    assert about["pictures"] == 8
    assert about["model"] == "colours"
    assert about["fingerprint"] == encoder.fingerprint
    assert about["languages"] == list(encoder.languages)


def test_no_absolute_path_leaves(
    photos: Path, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise ModelError(f"{encoder.name}: cannot say where")

    encoder.name, encoder.localises = str(photos.parent / "models" / "colours"), False
    monkeypatch.setattr(encoder, "explain", refuse)
    index(photos, photos.parent / "collection", encoder=encoder)
    app = create_app(Collection.open(photos.parent / "collection"), encoder)
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    key = best(client.get("/api/v1/search?q=rot"))["id"]
    explained = f"/api/v1/explain/{key}?q=rot"
    for address in (
        *("/api/v1/search?q=rot", "/api/v1/collection", "/metrics", "/", "/?q=rot"),
        *(explained, f"/heat/{key}?q=rot", f"/view/{key}?q=rot&heat=true"),
    ):
        assert str(photos.parent) not in client.get(address).text
    assert client.get("/api/v1/collection").json()["model"] == "colours"
    refused = client.get(explained)
    assert (refused.status_code, refused.json()) == (400, {"detail": WHOLE})


def test_thumbnail(client: TestClient) -> None:
    hit = best(client.get("/api/v1/search?q=rot"))
    answer = client.get(hit["thumbnail"])
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(BytesIO(answer.content)).size == (96, 64)
    again = client.get(hit["thumbnail"], headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_thumbnail_of_a_file_that_is_gone(client: TestClient, photos: Path) -> None:
    hit = best(client.get("/api/v1/search?q=rot"))
    (photos / hit["path"]).unlink()
    assert client.get(hit["thumbnail"]).status_code == 404


def test_a_picture_that_became_a_link_to_something_else_is_not_handed_out(
    client: TestClient, photos: Path, tmp_path: Path
) -> None:
    hit = best(client.get("/api/v1/search?q=rot"))
    (tmp_path / "secret.png").write_text("root:x:0:0")
    (photos / hit["path"]).unlink()
    (photos / hit["path"]).symlink_to(tmp_path / "secret.png")
    for address in (hit["thumbnail"], f"/picture/{hit['id']}"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "root" not in answer.text


def test_what_a_camera_noted_stays_here(client: TestClient, photos: Path) -> None:
    hit = best(client.get("/api/v1/search?q=rot"))
    exif = Image.Exif()
    exif[0x010E] = "at home"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}  # latitude
    Image.new("RGB", (64, 64), (220, 30, 30)).save(photos / hit["path"], exif=exif)
    assert Image.open(photos / hit["path"]).getexif()
    for address in (hit["thumbnail"], f"/picture/{hit['id']}"):
        shown = Image.open(BytesIO(client.get(address).content))
        assert not shown.getexif()


@pytest.mark.parametrize(
    "path", ["..%2Fapp.py", "../app.py", "%2e%2e/app.py", "..\\app.py", "%2Fetc%2Fpasswd", "."]
)
def test_static_files_are_those_of_the_page_alone(client: TestClient, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "127.0.0.2:80", "[::1]:80", "[0:0::1]"]
)
def test_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "10.0.0.1", "[", ""]
)
def test_foreign_names_are_not(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/collection", headers={"host": host}).status_code == 421


def test_foreign_names_are_answered_on_a_network(app: FastAPI) -> None:
    searcher = app.state.searcher
    public = create_app(searcher.collection, searcher.encoder, local_only=False)
    client = TestClient(public, base_url="http://attic.example")
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9"])
def test_posts_from_other_sites_are_refused(client: TestClient, origin: str) -> None:
    files = {"image": ("a.png", b"")}
    answer = client.post("/api/v1/search/image", files=files, headers={"origin": origin})
    assert answer.status_code == 403


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for address in ("/", "/api/v1/collection", "/static/style.css", "/nowhere"):
        policy = client.get(address).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_no_page_names_another_server(client: TestClient) -> None:
    for address in ("/", "/?q=rot", "/static/style.css", "/static/vendor/htmx-4.0.1.min.js"):
        text = client.get(address).text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
    assert client.get("/docs").status_code == 404  # FastAPI's own page loads scripts from a CDN


def test_openapi_describes_every_route(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert sorted(paths) == [
        "/api/v1/collection",
        "/api/v1/explain/{picture_id}",
        "/api/v1/pictures",
        "/api/v1/search",
        "/api/v1/search/image",
        "/api/v1/similar/{picture_id}",
    ]
