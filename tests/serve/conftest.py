"""A small collection, an application over it, and clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from polyglance.search.collection import Collection
from polyglance.search.indexer import index
from polyglance.serve.app import create_app
from support.colours import PALETTE, ColourEncoder, picture

ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for colour in PALETTE:
        picture(folder / colour / f"{colour}.png", colour, size=(96, 64))
    picture(folder / "red" / "mostly <red> & blue.png", "red", "red", "blue")
    return folder


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def app(photos: Path, encoder: ColourEncoder) -> FastAPI:
    index(photos, photos.parent / "collection", encoder=encoder)
    return create_app(Collection.open(photos.parent / "collection"), encoder)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=ADDRESS)
