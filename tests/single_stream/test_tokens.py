"""Texts and pairs as tokens: layout, words, positions, languages, and cutting."""

from __future__ import annotations

import pytest
import torch
from tests.single_stream.tiny_stream import LANGUAGES, TEXTS, TOKENIZER

from polyglance.errors import ModelError
from polyglance.single_stream.tokens import EVEN, PairTokenizer, Tokens, even
from polyglance.text.tokenizer import Tokenizer

START, END = TOKENIZER.tokenizer.around
PAD = TOKENIZER.tokenizer.pad_id


def test_a_text_has_the_ids_of_its_tokenizer() -> None:
    tokens = TOKENIZER.single(TEXTS, LANGUAGES)
    ids, mask = TOKENIZER.tokenizer.encode_batch(TEXTS, max_length=24)
    longest = ids.shape[1]
    assert torch.equal(tokens.ids[:, :longest], ids)
    assert torch.equal(tokens.mask[:, :longest], mask)
    assert not tokens.mask[:, longest:].any()
    for name, tensor in tokens.tensors().items():
        assert tensor.shape == (len(TEXTS), even(longest)), name
        assert tensor.dtype == (torch.bool if name == "mask" else torch.int64)


def test_single_texts_count_their_positions_and_say_their_language() -> None:
    tokens = TOKENIZER.single(TEXTS, LANGUAGES)
    lengths = tokens.mask.sum(1).tolist()
    numbers = {"de": 1, "en": 2, "zh": 3, "und": 0}
    for row, (length, tag) in enumerate(zip(lengths, LANGUAGES, strict=True)):
        assert tokens.positions[row, :length].tolist() == list(range(length))
        assert set(tokens.languages[row, :length].tolist()) == {numbers[tag]}
    assert not tokens.segments.any()
    assert (tokens.languages[~tokens.mask] == 0).all()


def test_languages_go_by_their_primary_subtag() -> None:
    tokenizer = PairTokenizer(tokenizer=TOKENIZER.tokenizer, languages=["zh-x-baidu", "no", "en"])
    assert tokenizer.languages == ("en", "no", "zh")
    assert [tokenizer.language(tag) for tag in ("en-GB", "no", "zh-Hant", "fr", "und")] == [
        1,
        2,
        3,
        0,
        0,
    ]


def test_words_are_numbered_over_their_pieces() -> None:
    words = TOKENIZER.tokenizer.pieces("A dog runs over the grass.")
    tokens = TOKENIZER.single(TEXTS, LANGUAGES)
    first = tokens.words[0, tokens.mask[0]].tolist()
    assert first[0] == first[-1] == -1
    starts = [piece.startswith("Ġ") for piece in words]
    number, expected = -1, []
    for begins in starts:
        number += begins
        expected.append(number)
    assert first[1:-1] == expected
    assert max(expected) == 6  # a dog runs over the grass .
    assert (tokens.words[~tokens.mask] == -1).all()


def test_scripts_without_spaces_go_by_character() -> None:
    words = without_padding(TOKENIZER.single([TEXTS[2]], ["zh"])).words[0].tolist()[1:-1]
    assert words == sorted(words)
    assert len(set(words)) > 4  # one piece may reach over two characters, but not over all


def without_padding(tokens: Tokens) -> Tokens:
    (length,) = tokens.mask.sum(1).tolist()  # of a single text
    return Tokens(**{name: tensor[:, :length] for name, tensor in tokens.tensors().items()})


def test_padded_lengths_are_few() -> None:
    for words in range(12):
        tokens = TOKENIZER.single(["dog " * words, "dog"], ["en", "en"])
        longest = int(tokens.mask.sum(1).max())
        assert tokens.ids.shape[1] % EVEN == 0
        assert longest <= tokens.ids.shape[1] < longest + EVEN


def test_a_pair_is_two_texts_behind_one_another() -> None:
    x, y = TEXTS[0], "Ein Hund"
    one = without_padding(TOKENIZER.single([x], ["en"]))
    other = without_padding(TOKENIZER.single([y], ["de"]))
    pair = without_padding(TOKENIZER.pair([x], [y], ["en"], ["de"]))
    length = other.ids.shape[1] - 1
    assert torch.equal(pair.ids, torch.cat([one.ids, other.ids[:, 1:]], 1))
    assert pair.positions[0].tolist() == [*one.positions[0].tolist(), *range(length)]
    assert pair.segments[0].tolist() == [0] * one.ids.shape[1] + [1] * length
    assert pair.languages[0].tolist() == [2] * one.ids.shape[1] + [1] * length
    before = one.words.max() + 1
    second = torch.where(other.words < 0, other.words, other.words + before)[:, 1:]
    assert torch.equal(pair.words, torch.cat([one.words, second], 1))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(30, 30, (3, 2)), (30, 1, (4, 1)), (1, 30, (1, 4)), (2, 3, (2, 3)), (30, 0, (5, 0))],
)
def test_the_longer_sentence_of_a_pair_is_cut(
    first: int, second: int, kept: tuple[int, int]
) -> None:
    tokenizer = PairTokenizer(tokenizer=TOKENIZER.tokenizer, languages=["en"], max_length=8)
    assert len(TOKENIZER.tokenizer.pieces("...")) == 3
    pair = tokenizer.pair(["." * first], ["." * second], ["en"], ["fr"])
    ids = pair.ids[0, pair.mask[0]].tolist()
    assert ids[0] == START
    assert ids[-1] == END
    assert ids.count(END) == 2
    assert (ids.index(END) - 1, len(ids) - ids.index(END) - 2) == kept


def test_each_pair_says_its_languages() -> None:
    pair = TOKENIZER.pair(["Ein Hund", "A dog"], ["A dog", "Ein Hund"], ["de", "en"], ["en", "de"])
    first = pair.segments == 0
    for row, (one, other) in enumerate(((1, 2), (2, 1))):
        there = pair.mask[row]
        assert set(pair.languages[row, there & first[row]].tolist()) == {one}
        assert set(pair.languages[row, there & ~first[row]].tolist()) == {other}
    with pytest.raises(ValueError, match=r"shorter|longer"):
        TOKENIZER.pair(["Ein Hund"], ["A dog"], ["de"], [])


def test_long_texts_keep_both_ends() -> None:
    tokens = TOKENIZER.single(["dog " * 100], ["en"])
    assert tokens.ids.shape == (1, 24)
    assert tokens.ids[0, 0] == START
    assert tokens.ids[0, -1] == END


def test_nothing_depends_on_the_batch() -> None:
    together = TOKENIZER.single(TEXTS, LANGUAGES)
    for row, (text, tag) in enumerate(zip(TEXTS, LANGUAGES, strict=True)):
        alone = TOKENIZER.single([text], [tag])
        length = alone.ids.shape[1]
        for name, tensor in together.rows(slice(row, row + 1)).tensors().items():
            assert torch.equal(tensor[:, :length], alone.tensors()[name]), name


def test_other_ids_in_the_same_places() -> None:
    tokens = TOKENIZER.single(TEXTS, LANGUAGES)
    other = tokens.with_ids(tokens.ids.flip(0))
    assert torch.equal(other.ids, tokens.ids.flip(0))
    assert torch.equal(other.words, tokens.words)
    assert len(Tokens(**tokens.tensors()).rows(torch.tensor([2, 0]))) == 2
    assert tokens.to(torch.device("meta")).ids.is_meta


def test_no_texts_are_no_rows() -> None:
    tokens = TOKENIZER.single([], [])
    assert len(tokens) == 0
    assert tokens.mask.shape == (0, 0)
    assert TOKENIZER.pair([], [], [], []).ids.shape == (0, 0)


def test_impossible_tokenizers_are_refused() -> None:
    with pytest.raises(ValueError, match="no room for two sentences"):
        PairTokenizer(tokenizer=TOKENIZER.tokenizer, max_length=4)
    from tokenizers import Tokenizer as Backend
    from tokenizers import models

    backend = Backend(models.WordLevel({"<pad>": 0, "<unk>": 1}, unk_token="<unk>"))
    backend.enable_padding(pad_id=0, pad_token="<pad>")
    with pytest.raises(ModelError, match="puts nothing around a text"):
        PairTokenizer(tokenizer=Tokenizer(backend))
