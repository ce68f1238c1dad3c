"""Texts as words, and gensim's trainers behind our functions."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
import torch

from polyglance.errors import ConfigError
from polyglance.text.vector_files import read_subwords, read_vectors
from polyglance.vectors.corpus import read_parallel, read_sentences
from polyglance.vectors.space import WordSpace
from polyglance.vectors.training import TrainingOptions, train_fasttext, train_word2vec

OPTIONS = TrainingOptions(dimension=16, epochs=30, min_count=2, subsample=0.0, seed=1)
TRAINERS = {
    "word2vec": train_word2vec,
    "fasttext": lambda sentences, options: train_fasttext(sentences, options, buckets=500),
}
every_trainer = pytest.mark.parametrize("name", TRAINERS)


def toy() -> list[list[str]]:
    """Two worlds that never meet: animals with verbs, and dishes with tastes."""
    worlds = [
        (["dog", "cat", "horse"], ["runs", "sleeps", "jumps"]),
        (["soup", "cake", "bread"], ["tastes", "smells", "cools"]),
    ]
    draw = random.Random(0)
    sentences = [
        ["the", draw.choice(first), draw.choice(second)]
        for _ in range(150)
        for first, second in worlds
    ]
    return [*sentences, ["rare", "dog"]]


# Texts ------------------------------------------------------------------------------------------


def test_sentences_are_segmented_in_their_language(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("Ein HUND, l'homme!\n\n狗在\n", encoding="utf-8")
    second.write_text("Irmak\n", encoding="utf-8")
    assert read_sentences([first, second], language="tr") == [
        ["ein", "hund", ",", "l", "'", "homme", "!"],
        ["狗", "在"],
        ["ırmak"],
    ]
    assert read_sentences([second]) == [["irmak"]]


def test_parallel_lines_stay_side_by_side(tmp_path: Path) -> None:
    first, second = tmp_path / "en.txt", tmp_path / "de.txt"
    first.write_text("A dog\n\nTwo\n")
    second.write_text("Ein Hund\nLeer\n\n")
    assert read_parallel(first, second, languages=("en", "de")) == [
        (["a", "dog"], ["ein", "hund"]),
        ([], ["leer"]),
        (["two"], []),
    ]
    second.write_text("Ein Hund\n")
    with pytest.raises(ConfigError, match=r"en\.txt has 3 lines, .*de\.txt 1;"):
        read_parallel(first, second)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\xff\xfe", "not UTF-8"), (b"\n \n", "no sentences")],
)
def test_bad_texts_are_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "en.txt"
    if content is not None:
        path.write_bytes(content)
    for read in (lambda: read_sentences([path]), lambda: read_parallel(path, path)):
        with pytest.raises(ConfigError, match=message) as caught:
            read()
        assert str(path) in str(caught.value)


# Training ---------------------------------------------------------------------------------------


def meet(space: WordSpace, first: str, second: str) -> float:
    unit, rows = space.unit(), space.rows()
    return float(unit[rows[first]] @ unit[rows[second]])


@every_trainer
def test_words_of_one_world_lie_together(name: str) -> None:
    space = TRAINERS[name](toy(), OPTIONS)
    assert space.words[0] == "the"  # the most frequent first
    assert len(space) == 13  # and "rare" is too rare
    assert space.vectors.shape == (13, 16)
    assert meet(space, "dog", "cat") > meet(space, "dog", "cake") + 0.1
    assert meet(space, "soup", "cake") > meet(space, "soup", "horse") + 0.1


@every_trainer
def test_a_seed_makes_it_the_same_again(name: str) -> None:
    again = [TRAINERS[name](toy(), OPTIONS).vectors for _ in range(2)]
    assert torch.equal(*again)
    other = TrainingOptions(dimension=16, epochs=30, subsample=0.0, seed=2)
    assert not torch.equal(again[0], TRAINERS[name](toy(), other).vectors)


def test_a_model_file_knows_other_words(tmp_path: Path) -> None:
    path = tmp_path / "models" / "en.bin"
    space = train_fasttext(toy(), OPTIONS, buckets=500, minimum=2, maximum=4, model=path)
    words, vectors = read_vectors(path)
    assert words == space.words
    torch.testing.assert_close(vectors, space.vectors)
    subwords = read_subwords(path)
    assert subwords is not None
    assert (subwords.minimum, subwords.maximum, len(subwords.buckets)) == (2, 4, 500)


def test_epochs_are_told() -> None:
    epochs: list[int] = []
    train_word2vec(toy(), OPTIONS, after_epoch=lambda: epochs.append(1))
    assert len(epochs) == 30


def test_words_that_are_all_too_rare() -> None:
    with pytest.raises(ConfigError, match="no word occurs 2 times"):
        train_word2vec([["a", "b"]], OPTIONS)


def test_without_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    monkeypatch.setitem(sys.modules, "gensim", None)
    for train in TRAINERS.values():
        with pytest.raises(ConfigError, match=r"pip install 'polyglance\[vectors\]'"):
            train(toy(), OPTIONS)
