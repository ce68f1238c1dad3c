from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import WeightsError
from polyglance.text.sentence_encoder import LONGEST, SentenceEncoder, clean


def test_what_the_graph_cannot_take_is_mended() -> None:
    assert clean("e\u0301tang") == "étang"
    assert clean(" a\0b\nc ") == "a b c"
    assert clean("half \ud83d") == "half ?"
    assert clean("\0") == clean("") == ""
    assert len(clean("x" * 10 * LONGEST)) == LONGEST


def test_absent_it_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGLANCE_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="polyglance download sentence-encoder"):
        SentenceEncoder.load()


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    try:
        return SentenceEncoder.load(threads=2)
    except WeightsError as error:
        pytest.skip(f"the pretrained towers are absent: {error}")


TEXTS = ["A dog runs.", "Zwei Hunde spielen im Schnee, und ein Kind sieht zu.", "犬", "", "😀", "A"]


@pytest.mark.towers
def test_rows_are_unit_and_independent_of_one_another(encoder: SentenceEncoder) -> None:
    together = encoder.embed(TEXTS)
    assert together.shape == (6, 512)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, row in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(encoder.embed([text])[0], row)
    np.testing.assert_array_equal(encoder.embed(TEXTS[::-1])[::-1], together)
    one = SentenceEncoder(folder=encoder.folder, threads=1)
    np.testing.assert_array_equal(one.embed(TEXTS), together)
    assert encoder.embed([]).shape == (0, 512)


@pytest.mark.towers
def test_a_translation_is_nearer_than_another_sentence(encoder: SentenceEncoder) -> None:
    english, other, *translations = encoder.embed(
        [
            "A dog runs through the snow.",
            "Two men repair a roof.",
            "Ein Hund läuft durch den Schnee.",
            "Un chien court dans la neige.",
            "一只狗在雪地里奔跑。",
            "كلب يركض في الثلج.",
        ]
    )
    for translation in translations:
        assert translation @ english > 0.6 > 0.4 > translation @ other


@pytest.mark.towers
def test_odd_texts_have_an_embedding(encoder: SentenceEncoder) -> None:
    odd = ["", "\0", "a\0b", "\ud800", "word " * 10_000, "\u202eabc", "🏳️‍🌈"]
    rows = encoder.embed(odd)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.towers
def test_its_fingerprint_is_a_digest(encoder: SentenceEncoder) -> None:
    assert len(bytes.fromhex(encoder.fingerprint)) == 32
