"""Vocabularies and alphabets: what is in them, and the official JSON layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from polyglance.errors import ModelError
from polyglance.text.alphabet import Alphabet
from polyglance.text.vocabulary import Vocabulary

WORDS = ["dog"] * 4 + ["a"] * 5 + ["rare"] * 3 + ["běží"] * 4


def test_frequent_words_after_the_special_ones() -> None:
    vocabulary = Vocabulary.of(WORDS)
    assert vocabulary.words == ["<pad>", "<start>", "<end>", "<unk>", "a", "běží", "dog"]
    assert vocabulary.ids(["dog", "rare", "<start>", "<pad>", "zebra"]).tolist() == [6, 3, 1, 0, 3]
    assert Vocabulary.of(reversed(WORDS)).words == vocabulary.words
    assert "rare" in Vocabulary.of(WORDS, min_frequency=3).words


def test_vocabulary_is_written_as_scan_does(tmp_path: Path) -> None:
    vocabulary = Vocabulary.of(WORDS)
    vocabulary.save(tmp_path / "vocabulary.json")
    written = json.loads((tmp_path / "vocabulary.json").read_text(encoding="utf-8"))
    assert set(written) == {"word2idx", "idx2word", "idx"}
    assert written["idx"] == len(vocabulary) == 7
    assert all(written["idx2word"][str(n)] == w for w, n in written["word2idx"].items())
    assert [written["word2idx"][w] for w in ("<pad>", "<start>", "<end>", "<unk>")] == [0, 1, 2, 3]
    assert Vocabulary.load(tmp_path / "vocabulary.json").words == vocabulary.words


def test_vocabulary_of_the_official_code_is_read(tmp_path: Path) -> None:
    """In the order of its sets: ids of words are anything, those of the special ones first."""
    words = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "zoo": 4, "ant": 5}
    official = {"idx2word": {str(n): w for w, n in words.items()}, "idx": 6, "word2idx": words}
    (tmp_path / "f30k_precomp_vocab.json").write_text(json.dumps(official))
    vocabulary = Vocabulary.load(tmp_path / "f30k_precomp_vocab.json")
    assert vocabulary.ids(["ant", "zoo", "bee"]).tolist() == [5, 4, 3]


def test_frequent_characters_after_the_special_ones() -> None:
    alphabet = Alphabet.of(["běží", "běz", "狗"] * 2 + ["q"], min_frequency=2)
    special = ["<pad>", "<unk>", "<start>", "<end>", " "]
    assert alphabet.characters == [*special, "b", "z", "í", "ě", "ž", "狗"]


def encode(alphabet: Alphabet, word: str, length: int) -> list[int]:
    return np.frombuffer(alphabet.encode(word, length=length), np.int32).tolist()


def test_words_are_cut_and_padded() -> None:
    alphabet = Alphabet.of(["abc"], min_frequency=1)
    assert encode(alphabet, "cab", 5) == [7, 5, 6, 0, 0]
    assert encode(alphabet, "cabcab", 5) == [7, 5, 6, 7, 5]
    assert encode(alphabet, "aX", 3) == [5, 1, 0]
    assert [encode(alphabet, mark, 2) for mark in ("<pad>", "<start>", "<end>")] == [
        *([0, 0], [2, 0], [3, 0]),
    ]


def test_alphabet_in_the_layout_of_lavse(tmp_path: Path) -> None:
    official = {
        "word2idx": {"<pad>": 0, "<unk>": 1, "<start>": 2, "<end>": 3, " ": 4, "T": 5, "ü": 6},
        "char_level": True,
        "max_len": None,
    }
    (tmp_path / "char.json").write_text(json.dumps(official))
    alphabet = Alphabet.load(tmp_path / "char.json")
    assert encode(alphabet, "Tüx", 4) == [5, 6, 1, 0]
    alphabet.save(tmp_path / "alphabet.json")
    assert json.loads((tmp_path / "alphabet.json").read_text(encoding="utf-8")) == official


@pytest.mark.parametrize("kind", [Vocabulary, Alphabet])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        ("{", "is no vocabulary"),
        ("[]", "is no vocabulary"),
        ('{"word2idx": 3}', "is no vocabulary"),
        ('{"word2idx": {"<pad>": 0, "<unk>": 2}}', "are not 0, 1, 2"),
        ('{"word2idx": {"<pad>": 0, "a": "b"}}', "is no vocabulary"),
        ('{"word2idx": {"<pad>": 0}}', "lacks <unk>"),
    ],
)
def test_bad_files_are_named(
    tmp_path: Path, kind: type[Vocabulary | Alphabet], content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "v.json").write_text(content)
    with pytest.raises(ModelError, match=rf"v\.json.*{message}"):
        kind.load(tmp_path / "v.json")


def test_impossible_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(["<unk>", "a", "a"])
    with pytest.raises(ValueError, match="lacks <unk>"):
        Vocabulary(["a"])
    with pytest.raises(ValueError, match="twice"):
        Alphabet(["<pad>", "<unk>", "<start>", "<end>", "a", "a"])
    with pytest.raises(ValueError, match="lacks <start>, <end>"):
        Alphabet(["<pad>", "<unk>", "a"])
