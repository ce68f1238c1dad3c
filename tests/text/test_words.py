"""Everything that turns words into vectors: against naive loops, files, and frozen for good."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyglance.errors import ConfigError
from polyglance.text.alphabet import Alphabet
from polyglance.text.character_words import CharacterWords
from polyglance.text.joined_words import JoinedWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.lexicon import Lexicon
from polyglance.text.pretrained_words import PretrainedWords
from polyglance.text.segment import MARKS
from polyglance.text.sentence_words import SentenceWords
from polyglance.text.vector_files import read_vectors
from polyglance.text.vocabulary import Vocabulary
from polyglance.text.words import WordEmbedding

WORDS = [*MARKS, "dog", "runs", "běží", "狗", "zebra", "donaudampfschiff"]
ALPHABET = Alphabet.of(WORDS[3:], min_frequency=1)


def characters(**changes: object) -> CharacterWords:
    torch.manual_seed(0)
    arguments: dict[str, object] = {
        "alphabet": ALPHABET,
        "character_dimension": 3,
        "word_length": 5,
        "widths": (7, 4),
    }
    return CharacterWords(**(arguments | changes))


def pretrained() -> PretrainedWords:
    vectors = torch.arange(1.0, 7.0).reshape(3, 2)
    lexicon = Lexicon(words=["Dog", "runs", "dog"])
    return PretrainedWords(lexicons={"und": lexicon}, vectors=vectors)


class Embedder:
    """Two numbers of each text, and a record of what was asked for."""

    dimension = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32).reshape(-1, 2)


EMBEDDINGS = {
    "learned": lambda: LearnedWords(vocabulary=Vocabulary.of(WORDS, min_frequency=1), dimension=5),
    "characters": characters,
    "pretrained": pretrained,
    "sentence": lambda: SentenceWords(encoder=Embedder()),
    "joined": lambda: JoinedWords(parts=[characters(), pretrained()]),
}
every_embedding = pytest.mark.parametrize("name", EMBEDDINGS)


def embed(embedding: WordEmbedding, words: Sequence[str]) -> Tensor:
    return embedding(embedding.prepare(words, ["und"] * len(words)))


@every_embedding
def test_a_vector_depends_on_its_word_alone(name: str) -> None:
    embedding = EMBEDDINGS[name]().eval()
    together = embed(embedding, WORDS)
    assert together.shape == (len(WORDS), embedding.dimension)
    for row, word in enumerate(WORDS):
        torch.testing.assert_close(together[row], embed(embedding, [word])[0])


@every_embedding
def test_prepared_tensors_have_a_row_a_word(name: str) -> None:
    prepared = EMBEDDINGS[name]().prepare(WORDS, ["und"] * len(WORDS))
    assert {tensor.shape[0] for tensor in prepared.values()} == {len(WORDS)}


@every_embedding
def test_it_learns_everywhere_or_nowhere(name: str) -> None:
    embedding = EMBEDDINGS[name]()
    before = [parameter.detach().clone() for parameter in embedding.parameters()]
    assert embedding.parameter_count() == sum(parameter.numel() for parameter in before)
    if not before:
        assert name in {"pretrained", "sentence"}
        return
    weights = torch.randn(len(WORDS), embedding.dimension)
    (embed(embedding, WORDS) * weights).sum().backward()
    for key, parameter in embedding.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@every_embedding
def test_it_can_be_copied(name: str) -> None:
    embedding = EMBEDDINGS[name]().eval()
    assert torch.equal(embed(copy.deepcopy(embedding), WORDS), embed(embedding, WORDS))


# LIWE -------------------------------------------------------------------------------------------


def naive_liwe(embedding: CharacterWords, words: Sequence[str], state: dict[str, Tensor]) -> Tensor:
    """Section 2.2 of the paper word by word, number by number; BatchNorm over the words."""
    ids = {character: number for number, character in enumerate(embedding.alphabet.characters)}
    rows = []
    for word in words:
        spelled = [word] if word in MARKS else list(word)
        spelled = (spelled + ["<pad>"] * embedding.word_length)[: embedding.word_length]
        numbers = [ids.get(character, 1) for character in spelled]
        rows.append(torch.cat([state["characters.weight"][number] for number in numbers]))
    for layer in range(len(embedding.layers)):
        prefix = f"layers.{layer}."
        length = state[prefix + "0.parametrizations.weight.original0"]
        direction = state[prefix + "0.parametrizations.weight.original1"]
        bias = state[prefix + "0.bias"]
        outputs = []
        for row in rows:
            values = []
            for unit in range(len(bias)):
                weight = length[unit] * direction[unit] / direction[unit].pow(2).sum().sqrt()
                values.append((weight * row).sum() + bias[unit])
            outputs.append(torch.stack(values))
        mean = sum(outputs) / len(outputs)
        variance = sum((output - mean) ** 2 for output in outputs) / len(outputs)
        rows = []
        for output in outputs:
            normal = (output - mean) / (variance + 1e-5).sqrt()
            scaled = normal * state[prefix + "2.weight"] + state[prefix + "2.bias"]
            rows.append(torch.where(scaled > 0, scaled, 0.1 * scaled))
    return torch.stack(rows)


@pytest.mark.parametrize("widths", [(6,), (7, 4), (5, 6, 3)])
def test_liwe_against_the_equations(widths: tuple[int, ...]) -> None:
    embedding = characters(widths=widths).double().train()
    for parameter in embedding.parameters():
        torch.nn.init.normal_(parameter)
    words = [*WORDS, "Ω?"]
    state = {key: p.detach().clone().requires_grad_() for key, p in embedding.named_parameters()}
    wanted, found = naive_liwe(embedding, words, state), embed(embedding, words)
    torch.testing.assert_close(found, wanted)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    for key, parameter in embedding.named_parameters():
        torch.testing.assert_close(parameter.grad, state[key].grad, msg=key)


@pytest.mark.parametrize("widths", [(384, 448, 300), (128, 256), (256, 256)])
def test_liwe_has_as_many_parameters_as_the_paper_counts(widths: tuple[int, ...]) -> None:
    embedding = CharacterWords(alphabet=ALPHABET, widths=widths)
    sizes = [26 * 24, *widths]
    matrices = sum(before * after for before, after in zip(sizes, widths, strict=False))
    lengths_biases_and_norms = 4 * sum(widths)
    wanted = len(ALPHABET) * 24 + matrices + lengths_biases_and_norms
    assert embedding.parameter_count() == wanted
    if widths == (128, 256):  # "115k" in the paper, with its 101 characters
        assert 101 * 24 + matrices == 115_064


def test_a_word_is_cut_where_the_paper_cuts_it() -> None:
    embedding = CharacterWords(alphabet=ALPHABET).eval()
    long = "donau" * 6
    vectors = embed(embedding, [long, long[:26], long[:25]])
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.allclose(vectors[0], vectors[2])


def test_learned_vectors_start_as_published() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary.of([str(number) for number in range(2000)], min_frequency=1)
    words = LearnedWords(vocabulary=vocabulary)
    assert words.dimension == 300
    assert float(words.vectors.detach().abs().max()) <= 0.1
    assert float(words.vectors.detach().std()) == pytest.approx(0.2 / 12**0.5, rel=0.01)


def test_words_without_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        characters(widths=())


# Frozen and joined vectors ------------------------------------------------------------------------


def test_each_word_meets_the_sentence_encoder_once() -> None:
    encoder = Embedder()
    embedding = SentenceWords(encoder=encoder)
    assert embed(embedding, ["<start>", "dog", "<end>"]).tolist() == [[0, 0], [3, 100], [0, 0]]
    embed(embedding, ["cat", "dog", "<pad>"])
    assert encoder.asked == ["dog", "cat"]


def test_joined_vectors_stand_behind_one_another() -> None:
    first, second = characters().eval(), pretrained()
    joined = JoinedWords(parts=[first, second]).eval()
    assert joined.dimension == 6
    wanted = torch.cat([embed(first, WORDS), embed(second, WORDS)], dim=1)
    assert torch.equal(embed(joined, WORDS), wanted)
    for parts in ([first], [first, characters()]):
        with pytest.raises(ValueError, match="of different kinds"):
            JoinedWords(parts=parts)


# Files ------------------------------------------------------------------------------------------


def test_saved_and_loaded_they_are_the_same(tmp_path: Path) -> None:
    embedding = JoinedWords(
        parts=[EMBEDDINGS["learned"](), characters(), pretrained(), EMBEDDINGS["sentence"]()]
    ).eval()
    embedding.save(tmp_path)
    other = JoinedWords(
        parts=[
            LearnedWords(vocabulary=Vocabulary.load(tmp_path / "vocabulary.json"), dimension=5),
            characters(alphabet=Alphabet.load(tmp_path / "alphabet.json")),
            PretrainedWords.load(tmp_path),
            EMBEDDINGS["sentence"](),
        ]
    ).eval()
    assert torch.equal(other.state_dict()["parts.2.vectors"], torch.zeros(3, 2))
    other.load_state_dict(embedding.state_dict())
    assert torch.equal(embed(embedding, WORDS), embed(other, WORDS))


VECTORS = "der 1 -2.5e-1 0\nHund 4 5 6\n. . 7 8 9 \n"


@pytest.mark.parametrize("header", ["", "3 3\n"])  # GloVe; word2vec, fastText and MUSE
def test_files_of_word_vectors(tmp_path: Path, header: str) -> None:
    path = tmp_path / "de.vec"
    path.write_text(header + VECTORS, encoding="utf-8")
    words, vectors = read_vectors(path)
    assert words == ["der", "Hund", ". ."]  # GloVe 840B has words with spaces
    assert vectors.tolist() == [[1, -0.25, 0], [4, 5, 6], [7, 8, 9]]
    assert read_vectors(path, limit=1)[0] == ["der"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "holds none"),
        ("2 3\n", "holds none"),
        ("a 1 2\nb 1 x\n", r"de\.vec:2: a word and 2 numbers"),
        ("a 1 2\nb 1 nan\n", r"de\.vec:2: a word and 2 numbers"),
        ("a\n", r"de\.vec:1: "),
        ("2 3\na 1 2\n", r"de\.vec:2: a word and 3 numbers"),
    ],
)
def test_bad_files_of_vectors_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "de.vec"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_vectors(path)
