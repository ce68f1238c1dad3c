"""Files of word vectors: written by gensim, by hand and by us, and found out by content."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import save_facebook_model

from polyglance.errors import ConfigError
from polyglance.text.subwords import Subwords
from polyglance.text.vector_files import read_subwords, read_vectors, write_binary, write_text
from polyglance.text.vector_files.fasttext import read_fasttext
from polyglance.text.vector_files.text_form import read_text

WORDS = ["der", "Hund", "běží", "狗", "ok"]
VECTORS = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
SENTENCES = [["ein", "hund", "läuft", "schnell"], ["ein", "kätzchen", "schläft"], ["ein", "hund"]]


@pytest.fixture(scope="module")
def fasttext() -> FastText:
    return FastText(
        SENTENCES, vector_size=6, min_count=1, bucket=40, min_n=2, max_n=4, seed=1, workers=1
    )


@pytest.fixture(scope="module")
def model(fasttext: FastText, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facebook's format, by gensim."""
    path = tmp_path_factory.mktemp("fasttext") / "model.bin"
    save_facebook_model(fasttext, str(path))
    return path


# word2vec ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
def test_files_that_gensim_writes(tmp_path: Path, binary: bool) -> None:
    keyed = KeyedVectors(7)
    keyed.add_vectors(WORDS, VECTORS.numpy())
    keyed.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    words, vectors = read_vectors(tmp_path / "vectors")
    assert words == WORDS
    torch.testing.assert_close(vectors, VECTORS)
    words, vectors = read_vectors(tmp_path / "vectors", limit=2)
    assert words == WORDS[:2]
    torch.testing.assert_close(vectors, VECTORS[:2])


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_gensim_reads_what_is_written(tmp_path: Path, write: object) -> None:
    path = tmp_path / "vectors"
    write(path, WORDS, VECTORS)
    keyed = KeyedVectors.load_word2vec_format(str(path), binary=write is write_binary)
    assert keyed.index_to_key == WORDS
    assert np.array_equal(keyed.vectors, VECTORS.numpy())


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_nothing_is_lost(tmp_path: Path, write: object) -> None:
    extremes = torch.tensor([[1e-38, 3.4e38, -0.0], [1 / 3, -1e-7, 16777217.0]])
    write(tmp_path / "vectors", ["a", "b"], extremes)
    words, vectors = read_vectors(tmp_path / "vectors")
    assert words == ["a", "b"]
    assert torch.equal(vectors, extremes)


@pytest.mark.parametrize("behind", [b"\n", b""])  # word2vec and BiVec; Google News and gensim
def test_binary_by_hand(tmp_path: Path, behind: bytes) -> None:
    path = tmp_path / "vectors.bin"
    rows = [
        word + b" " + struct.pack("<2f", 1.5, number) for number, word in enumerate((b"a", b"b"))
    ]
    path.write_bytes(b"2 2\n" + b"".join(row + behind for row in rows))
    words, vectors = read_vectors(path)
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1.5, 0], [1.5, 1]]


def test_a_muse_file(tmp_path: Path) -> None:
    """``wiki.multi.de.vec``: counts, then words in lower case with their numbers."""
    path = tmp_path / "wiki.multi.de.vec"
    path.write_text("2 3\nder -0.0123 0.2 0.00003\nkatze 1 2e-05 -3\n", encoding="utf-8")
    words, vectors = read_vectors(path)
    assert words == ["der", "katze"]
    torch.testing.assert_close(vectors[1], torch.tensor([1, 2e-05, -3]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\na " + struct.pack("<2f", 1, 2), "too short for the 3 words of 2 numbers"),
        (b"2 2\na" + struct.pack("<5f", 1, 2, 3, 4, 5), "ends too early"),
        (b"1 1\na " + struct.pack("<f", np.inf), "'a' has numbers that are not finite"),
        (b"\x1f\x8b\x08 packed", "packed; unpack it"),
        (b"PK\x03\x04", "packed; unpack it"),
        (b"", "holds none"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_vectors(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("word", ["", "two words", "line\n", "no\xa0break"])
def test_words_that_would_not_come_back_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match="as one word"):
        write_text(tmp_path / "vectors", ["a", word], torch.zeros(2, 3))
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written: .*another folder"):
        write_binary(tmp_path / "file" / "vectors", ["a"], torch.zeros(1, 3))


# fastText ---------------------------------------------------------------------------------------


def test_a_model_that_gensim_writes(fasttext: FastText, model: Path) -> None:
    words, vectors = read_vectors(model)
    assert words == fasttext.wv.index_to_key
    torch.testing.assert_close(vectors, torch.from_numpy(fasttext.wv[words]))
    assert read_vectors(model, limit=2)[0] == words[:2]
    torch.testing.assert_close(read_vectors(model, limit=2)[1], vectors[:2])


def test_unknown_words_of_a_model_that_gensim_writes(fasttext: FastText, model: Path) -> None:
    subwords = read_subwords(model)
    assert subwords is not None
    for word in ("hunde", "Kätzchens", "狗狗", "x"):
        assert word not in fasttext.wv.key_to_index
        torch.testing.assert_close(subwords.vector(word), torch.from_numpy(fasttext.wv[word]))


def test_other_files_have_no_subwords(tmp_path: Path, model: Path) -> None:
    words, vectors = read_vectors(model)
    for write in (write_text, write_binary):
        write(tmp_path / "vectors", words, vectors)
        assert read_subwords(tmp_path / "vectors") is None


def written(  # every field of the format, one after the other
    path: Path,
    *,
    magic: int = 793712314,
    version: int = 12,
    kind: int = 2,
    bucket: int = 3,
    lengths: tuple[int, int] = (1, 2),
    entries: tuple[tuple[bytes, int], ...] = ((b"</s>", 0), (b"a\xff", 0), (b"__label__x", 1)),
    pruned: int = -1,
    quantised: bool = False,
) -> np.ndarray:
    words = sum(label == 0 for _, label in entries)
    matrix = np.arange(2 * (words + bucket), dtype="<f4").reshape(-1, 2)
    content = struct.pack("<2i", magic, version)
    content += struct.pack("<12id", 2, 5, 1, 1, 5, 1, 1, kind, bucket, *lengths, 100, 1e-4)
    content += struct.pack("<3i2q", len(entries), words, len(entries) - words, 99, pruned)
    for name, label in entries:
        content += name + b"\0" + struct.pack("<qb", 7, label)
    content += struct.pack("<?2q", quantised, *matrix.shape) + matrix.tobytes()
    path.write_bytes(content)
    return matrix


def test_a_model_by_hand(tmp_path: Path) -> None:
    """Odd bytes are hashed as they are; labels have no row, and the sentence's end no n-grams."""
    matrix = torch.from_numpy(written(tmp_path / "model.bin"))
    words, vectors, subwords = read_fasttext(tmp_path / "model.bin")
    assert words == ["</s>", "a\N{REPLACEMENT CHARACTER}"]
    assert torch.equal(vectors[0], matrix[0])
    assert isinstance(subwords, Subwords)
    assert torch.equal(subwords.buckets, matrix[2:])
    rows = []  # of < a ÿ > the n-grams <a, a, aÿ, ÿ, ÿ>
    for ngram in (b"<a", b"a", b"a\xff", b"\xff", b"\xff>"):
        value = 2166136261
        for byte in ngram:
            value = ((value ^ (byte | (0xFFFFFF00 if byte > 127 else 0))) * 16777619) % 2**32
        rows.append(2 + value % 3)
    torch.testing.assert_close(vectors[1], (matrix[1] + matrix[rows].sum(0)) / 6)


@pytest.mark.parametrize(
    "changes", [{"lengths": (0, 0)}, {"bucket": 0}, {"version": 11, "kind": 3}]
)
def test_models_without_ngrams(tmp_path: Path, changes: dict[str, object]) -> None:
    matrix = written(tmp_path / "model.bin", **changes)
    words, vectors, subwords = read_fasttext(tmp_path / "model.bin")
    assert subwords is None
    assert read_subwords(tmp_path / "model.bin") is None
    assert np.array_equal(vectors.numpy(), matrix[: len(words)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 13}, "no fastText model of version 11 or 12"),
        ({"quantised": True}, "quantised"),
        ({"pruned": 2}, "pruned or damaged"),
        ({"entries": ()}, "pruned or damaged"),
    ],
)
def test_models_that_cannot_be_read(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    written(tmp_path / "model.bin", **changes)
    with pytest.raises(ConfigError, match=message):
        read_vectors(tmp_path / "model.bin")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    written(path)
    content = path.read_bytes()
    for length in range(4, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ConfigError, match="ends too early"):
            read_vectors(path)


def test_a_damaged_shape_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    matrix = written(path)
    content = bytearray(path.read_bytes())
    place = len(content) - matrix.nbytes - 16
    content[place : place + 8] = struct.pack("<q", 77)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="77 rows of 2 numbers for 2 words and 3 buckets"):
        read_vectors(path)


def test_text_is_told_from_binary(tmp_path: Path) -> None:
    """A first word that is a tab or a number is no reason to take text for numbers."""
    path = tmp_path / "vectors"
    path.write_text("2 2\n7 1 2\n\t 3 4\n", encoding="utf-8")
    assert read_vectors(path)[0] == read_text(path)[0] == ["7", "\t"]
