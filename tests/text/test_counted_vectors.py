"""The stand-in for pretrained word vectors: its counts against loops, its file against ours."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest
import torch

from polyglance.text.pretrained_words import PretrainedWords

RECIPE = runpy.run_path(str(Path(__file__).parents[2] / "recipes" / "word_vectors.py"))
TEXTS = [
    ["a", "brown", "dog", "runs", "over", "the", "green", "grass", "of", "a", "park"],
    ["a", "dog", "runs"],
    ["the", "green", "grass", "and", "the", "brown", "park"],
]
WORDS = ["a", "the", "dog", "runs", "green", "grass", "brown", "park"]


def test_information_against_a_loop() -> None:
    window = RECIPE["WINDOW"]
    near = {(x, y): 0.0 for x in WORDS for y in WORDS}
    for text in TEXTS:
        for i, x in enumerate(text):
            for j, y in enumerate(text):
                if i != j and abs(i - j) <= window and x in WORDS and y in WORDS:
                    near[x, y] += (window + 1 - abs(i - j)) / window
    counts = RECIPE["_near_each_other"](TEXTS, WORDS)
    total = {x: sum(near[x, y] for y in WORDS) for x in WORDS}
    smooth = sum(total[y] ** 0.75 for y in WORDS)
    information = RECIPE["_information"](counts.clone())
    for row, x in enumerate(WORDS):
        for column, y in enumerate(WORDS):
            assert float(counts[row, column]) == pytest.approx(near[x, y])
            expected = total[x] * total[y] ** 0.75 / smooth
            wanted = max(0.0, math.log(near[x, y] / expected)) if near[x, y] else 0.0
            assert float(information[row, column]) == pytest.approx(wanted, abs=1e-5)


def test_words_of_like_company_are_alike(tmp_path: Path) -> None:
    sentences = [
        f"the {animal} {verb} over the {place}"
        for animal in ("dog", "cat")
        for verb in ("runs", "walks")
        for place in ("grass", "sand")
    ] * 3
    path = tmp_path / "en.vec"
    RECIPE["count_vectors"](sentences, path, dimension=4)
    written = path.read_bytes()
    RECIPE["count_vectors"](sentences[:3], path, dimension=4)  # done already is done
    assert path.read_bytes() == written
    embedding = PretrainedWords.read(path)
    assert embedding.dimension == 4
    assert len(embedding.words) == 8
    dog, cat, sand, unknown = embedding(embedding.prepare(["dog", "cat", "sand", "bird"]))
    assert torch.dot(dog, cat) > 0.9 > 0.7 > torch.dot(dog, sand)
    assert unknown.tolist() == [0, 0, 0, 0]
