"""`mini` asked by words in a process without torch, and whole as soon as a picture comes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from polyglance.errors import ModelError
from polyglance.search.encoder import load_encoder
from polyglance.search.mini_encoder import MiniEncoder
from polyglance.systems.locate import BUILT_IN

if TYPE_CHECKING:
    from polyglance import Retriever

TEXTS = ("ein Hund im Schnee", "犬が走る", "", "pes " * 200)
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None  # importing either fails
from polyglance.cli.main import main
sys.argv = ["polyglance", *sys.argv[1:]]
main()
"""


def test_it_is_the_retriever(mini: Retriever) -> None:
    encoder = load_encoder("mini", pictures=False)
    assert isinstance(encoder, MiniEncoder)
    for known in ("name", "fingerprint", "languages", "dimension"):
        assert getattr(encoder, known) == getattr(mini, known)
    found = encoder.encode_texts(TEXTS, language="und")
    np.testing.assert_allclose(found, mini.encode_texts(TEXTS), atol=1e-6)
    assert encoder.encode_texts([]).shape == (0, mini.dimension)
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        encoder.encode_texts(["a", "b"], language=["en"])


def test_pictures_load_it_whole(mini: Retriever) -> None:
    encoder = load_encoder("mini", pictures=False)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    pixels = encoder.preprocessing(picture)[np.newaxis]
    np.testing.assert_allclose(encoder.encode_pixels(pixels), mini.encode_pixels(pixels), atol=1e-5)
    assert encoder.localises
    assert encoder.explain(picture, "red").values.shape == mini.explain(picture, "red").values.shape


def test_where_pictures_are_to_come_it_is_the_retriever(mini: Retriever) -> None:
    assert type(load_encoder("mini")) is type(mini)


def test_a_search_by_words_imports_no_torch(mini: Retriever, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, colour in (("red", (200, 30, 30)), ("green", (30, 160, 30))):
        Image.new("RGB", (60, 40), colour).save(pictures / f"{name}.png")
    collection = str(tmp_path / "collection")
    command = [sys.executable, "-m", "polyglance", "index", str(pictures), "-c", collection]
    subprocess.run(command, check=True, capture_output=True)
    asked = ["search", "rot", "--language", "de", "-c", collection, "--json"]
    command = [sys.executable, "-c", WITHOUT_TORCH, *asked]
    hits = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    query = mini.encode_texts(["rot"], language="de")
    expected = {
        path.name: (mini.encode_images([path]) @ query.T).item() for path in pictures.iterdir()
    }
    assert {Path(hit["path"]).name: hit["score"] for hit in hits} == pytest.approx(
        expected, abs=2e-3
    )


def test_another_sentence_encoder_is_refused(mini: Retriever, tmp_path: Path) -> None:
    assert mini.name == "mini"  # and so the towers are here
    shutil.copytree(BUILT_IN / "mini", tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    described = json.loads(config.read_text())
    described["towers"]["encoder"]["fingerprint"] = "00"
    config.write_text(json.dumps(described))
    with pytest.raises(ModelError, match="another sentence-encoder than the one in the cache"):
        load_encoder(tmp_path / "other", pictures=False)
