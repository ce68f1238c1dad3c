"""Frozen vectors of one file or of one a language: what a word is, files, and frozen for good."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from gensim.models import FastText
from gensim.models.fasttext import save_facebook_model
from pydantic import ValidationError
from torch import Tensor

from polyglance.errors import ConfigError, ModelError
from polyglance.systems.builders.text import build_text_encoder
from polyglance.systems.config import PretrainedWordsConfig, RecurrentTextConfig
from polyglance.text.base import TextEncoder
from polyglance.text.joined_words import JoinedWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.lexicon import Lexicon, NGrams
from polyglance.text.pretrained_words import PretrainedWords
from polyglance.text.subwords import Subwords
from polyglance.text.vocabulary import Vocabulary
from polyglance.text.words import WordEmbedding

MUSE_EN = "3 2\nthe 1 1\ndie 2 0\ndog 3 5\n"  # as in wiki.multi.<language>.vec
MUSE_DE = "3 2\ndie 0 4\nHund 3 7\nhund 9 9\n"


def embed(embedding: WordEmbedding, *words: tuple[str, str]) -> list[list[float]]:
    prepared = embedding.prepare([word for word, _ in words], [tag for _, tag in words])
    return embedding(prepared).tolist()


def of_one(words: list[str], vectors: Tensor, ngrams: NGrams | None = None) -> PretrainedWords:
    return PretrainedWords(lexicons={"und": Lexicon(words=words, ngrams=ngrams)}, vectors=vectors)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Language → file."""
    (tmp_path / "wiki.multi.en.vec").write_text(MUSE_EN)
    (tmp_path / "wiki.multi.de.vec").write_text(MUSE_DE)
    return {tag: tmp_path / f"wiki.multi.{tag}.vec" for tag in ("en", "de")}


# What a word is ---------------------------------------------------------------------------------


def test_one_file_for_all_languages() -> None:
    embedding = of_one(["Dog", "runs", "dog", "<start>"], torch.arange(1.0, 9.0).reshape(4, 2))
    assert not embedding.knows_languages
    words = [(word, "und") for word in ("dog", "runs", "zebra", "<start>")]
    assert embed(embedding, *words) == [[5, 6], [3, 4], [0, 0], [0, 0]]  # "dog" before "Dog"
    assert embed(of_one(["Hund", "HUND"], torch.eye(2)), ("hund", "und")) == [[1, 0]]
    assert embed(embedding, ("zebra", "und")) == [[0, 0]]
    assert embed(embedding) == []


def test_a_word_is_another_one_in_another_language(files: dict[str, Path]) -> None:
    embedding = PretrainedWords.read(files)
    assert embedding.knows_languages
    assert embed(embedding, ("die", "en"), ("die", "de")) == [[2, 0], [0, 4]]
    assert embed(embedding, ("hund", "de"), ("dog", "de"), ("dog", "en")) == [
        [9, 9],
        [0, 0],
        [3, 5],
    ]


def test_a_language_without_a_file_is_the_mean_of_the_files_that_have_the_word(
    files: dict[str, Path],
) -> None:
    embedding = PretrainedWords.read(files)
    for tag in ("fr", "und"):
        assert embed(embedding, ("die", tag), ("dog", tag), ("chien", tag), ("<end>", tag)) == [
            [1, 2],
            [3, 5],
            [0, 0],
            [0, 0],
        ]


@pytest.mark.parametrize("tag", ["de", "fr", "cs"])
def test_unknown_words_are_the_mean_of_their_ngrams(tag: str) -> None:
    table = torch.randn(2 + 7 + 1 + 5, 3, generator=torch.Generator().manual_seed(0))
    lexicons = {
        "de": Lexicon(words=["Hund", "die"], ngrams=NGrams(3, 5, 7)),
        "fr": Lexicon(words=["la"], ngrams=NGrams(2, 4, 5)),
    }
    embedding = PretrainedWords(lexicons=lexicons, vectors=table)
    german = Subwords(minimum=3, maximum=5, buckets=table[2:9])
    french = Subwords(minimum=2, maximum=4, buckets=table[10:])
    words = ["hundehütte", "狗", "die", "<pad>"]
    own = {"de": {"die": table[1]}, "fr": {}, "cs": {"die": table[1]}}[tag]
    chosen = {"de": [german], "fr": [french], "cs": [german, french]}[tag]
    wanted = []
    for word in words:
        vectors = [some.buckets[row] for some in chosen for row in some.rows(word)]
        naive = sum(vectors) / len(vectors)
        wanted.append(torch.zeros(3) if word == "<pad>" else own.get(word, naive))
    found = embedding(embedding.prepare(words, [tag] * 4))
    torch.testing.assert_close(found, torch.stack(wanted))
    alone = embedding(embedding.prepare(words[2:3], [tag]))  # without longer lists beside it
    torch.testing.assert_close(alone, found[2:3])


def test_nothing_moves_them() -> None:
    learned = LearnedWords(vocabulary=Vocabulary.of(["dog"], min_frequency=1), dimension=2)
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    embedding = JoinedWords(parts=[learned, of_one(["dog", "a"], table.clone())])
    embedding.requires_grad_(True)
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0, weight_decay=0.5)
    embedding(embedding.prepare(["dog", "cat"], ["und"] * 2)).sum().backward()
    optimizer.step()
    assert torch.equal(embedding.state_dict()["parts.1.vectors"], table)
    assert [name for name, _ in embedding.named_parameters()] == ["parts.0.vectors"]


def test_as_many_vectors_as_rows() -> None:
    with pytest.raises(ValueError, match="2 vectors for 1 rows"):
        of_one(["a"], torch.eye(2))
    with pytest.raises(ValueError, match="2 vectors for 8 rows"):
        of_one(["a"], torch.eye(2), NGrams(3, 6, 7))


def test_joined_they_know_languages(files: dict[str, Path]) -> None:
    learned = LearnedWords(vocabulary=Vocabulary.of(["die"], min_frequency=1), dimension=2)
    joined = JoinedWords(parts=[learned, PretrainedWords.read(files)])
    assert joined.knows_languages
    english, german = embed(joined, ("die", "en"), ("die", "de"))
    assert english[:2] == german[:2]
    assert (english[2:], german[2:]) == ([2, 0], [0, 4])
    assert not JoinedWords(parts=[learned, of_one(["a"], torch.eye(1))]).knows_languages


def test_a_copy_has_vectors_of_its_own(files: dict[str, Path]) -> None:
    embedding = PretrainedWords.read(files)
    other = copy.deepcopy(embedding)
    other.vectors.zero_()
    assert embed(embedding, ("die", "de")) == [[0, 4]]
    assert embed(other, ("die", "de")) == [[0, 0]]


# Files ------------------------------------------------------------------------------------------


def test_a_model_of_fasttext_spells_words_as_gensim_does(tmp_path: Path) -> None:
    sentences = [["der", "hund", "läuft"], ["ein", "hund", "schläft"], ["die", "hunde"]] * 5
    model = FastText(sentences, vector_size=6, min_count=1, bucket=40, epochs=2, seed=0, workers=1)
    path = tmp_path / "de.bin"
    save_facebook_model(model, str(path))
    embedding = PretrainedWords.read({"de": path})
    words = ["hund", "die", "hundehütte", "straße", "狗"]
    found = embedding(embedding.prepare(words, ["de"] * 5))
    wanted = torch.from_numpy(np.stack([model.wv[word] for word in words]))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    limited = PretrainedWords.read({"de": path}, limit=1)
    assert len(limited.lexicons["de"].words) == 1
    assert not torch.allclose(  # no word's own vector, only its n-grams'
        limited(limited.prepare(["die"], ["de"])), wanted[1:2], rtol=1e-3, atol=1e-5
    )


def test_files_of_other_sizes_are_refused(files: dict[str, Path]) -> None:
    files["de"].write_text("die 0 4 1\n")
    with pytest.raises(ConfigError, match=r"wiki\.multi\.de\.vec: 3 numbers a word, but 2 in the"):
        PretrainedWords.read(files)


def test_so_many_words_of_each_file(files: dict[str, Path]) -> None:
    embedding = PretrainedWords.read(files, limit=1)
    assert embed(embedding, ("dog", "en"), ("die", "de"), ("die", "fr")) == [[0, 0], [0, 4], [0, 4]]


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    lexicons = {"en": Lexicon(words=["dog"]), "cs": Lexicon(words=["pes"], ngrams=NGrams(3, 6, 4))}
    embedding = PretrainedWords(lexicons=lexicons, vectors=torch.randn(6, 3))
    embedding.save(tmp_path)
    other = PretrainedWords.load(tmp_path)
    assert torch.equal(other.vectors, torch.zeros(6, 3))
    other.load_state_dict(embedding.state_dict())
    words = [("dog", "en"), ("pes", "cs"), ("psi", "cs"), ("psi", "en"), ("pes", "sk")]
    assert embed(other, *words) == embed(embedding, *words)
    assert embed(other, *words)[3] == [0, 0, 0]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "{",
        "{}",
        '{"dimension": 2, "languages": 3}',
        '{"dimension": 2, "languages": {"en": {"words": 3, "ngrams": null}}}',
        '{"dimension": 2, "languages": {"en": {"words": [], "ngrams": {"minimum": 3}}}}',
    ],
)
def test_a_damaged_list_of_words_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "pretrained-words.json").write_text(content)
    with pytest.raises(ModelError, match=r"pretrained-words\.json cannot be read"):
        PretrainedWords.load(tmp_path)


# Configured -------------------------------------------------------------------------------------


def build(words: dict[str, object], folder: Path | None = None, **changes: object) -> TextEncoder:
    config = RecurrentTextConfig.model_validate(
        {"words": {"kind": "pretrained", **words}, **changes}
    )
    torch.manual_seed(0)
    return build_text_encoder(config, dimension=8, folder=folder)[0]


def test_an_encoder_of_several_languages_and_its_checkpoint(
    files: dict[str, Path], tmp_path: Path
) -> None:
    settings = {"unit": {"kind": "sru", "layers": 2, "dropout": 0.2}, "bidirectional": False}
    encoder = build({"files": files}, **settings).eval()
    texts, languages = ["die", "die", "die", "hund"], ["de", "en", "fr", "de-AT"]
    embedding = encoder(encoder.prepare(texts, languages)).embedding
    assert len(torch.unique(embedding.detach().round(decimals=4), dim=0)) == 4
    encoder.save_tokenizer(tmp_path)
    for path in files.values():
        path.unlink()  # all of it is in the checkpoint
    other = build({"files": files}, tmp_path, **settings).eval()
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(other.prepare(texts, languages)).embedding, embedding)


def test_an_encoder_of_one_file_reads_no_more_than_the_limit(files: dict[str, Path]) -> None:
    encoder = build({"path": files["en"], "limit": 2})
    assert encoder.words.lexicons["und"].words == ["the", "die"]
    assert PretrainedWordsConfig(path=files["en"]).limit == 200_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "give path, one file for all languages, or files, one a language"),
        ({"path": "a.vec", "files": {"en": "b.vec"}}, "give path, one file"),
        ({"files": {}}, "at least 1 item"),
        ({"files": {"english": "a.vec"}}, "'english' is no language"),
        ({"files": {"de-AT": "a.vec"}}, "'de-AT' is no language"),
        ({"path": "a.vec", "limit": 0}, "greater than 0"),
    ],
)
def test_wrong_settings_are_told(words: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build(words)


def test_an_sru_reads_one_way(files: dict[str, Path]) -> None:
    with pytest.raises(ValidationError, match="set bidirectional = false"):
        build({"files": files}, unit={"kind": "sru"})


def test_files_may_lie_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES", "/spaces")
    config = PretrainedWordsConfig(files={"en": "${SPACES}/en.vec"})
    assert config.by_language() == {"en": Path("/spaces/en.vec")}
