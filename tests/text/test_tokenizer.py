"""Tokenizers: byte pairs in many scripts, exact ids, and files."""

from __future__ import annotations

import random
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models

from polyglance.errors import ModelError
from polyglance.text.tokenizer import Tokenizer

TEXTS = [
    "A dog runs over the grass.",
    "Ein Hund läuft über das Gras.",
    "Un chien court dans l'herbe.",
    "Pes běží po trávě.",
    "一只狗在草地上跑。",
    "犬が草の上を走る。",
    "หมาวิ่งบนหญ้า",
    "كلب يركض على العشب",
    "강아지가 잔디 위를 달린다.",
    "कुत्ता घास पर दौड़ता है",
    "👩🏽‍🚀 🐕 🇩🇪",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocabulary_size=400)


def test_full_width_digits_are_digits(tokenizer: Tokenizer) -> None:
    assert tokenizer.pieces("１２") == tokenizer.pieces("12")


@pytest.mark.parametrize("text", ["Pes běží po trávě.", "läuft über", "강아지가"])
def test_composed_and_decomposed_are_one(tokenizer: Tokenizer, text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    assert torch.equal(tokenizer.encode_batch([text])[0], tokenizer.encode_batch([decomposed])[0])


def test_a_tokenizer_that_does_not_normalise_gets_composed_text() -> None:
    backend = Backend(models.WordLevel({"<pad>": 0, "<unk>": 1, "běží": 2}, unk_token="<unk>"))
    backend.enable_padding(pad_id=0, pad_token="<pad>")
    assert Tokenizer(backend).encode_batch(["be\u030cz\u030ci\u0301"])[0].tolist() == [[2]]


def test_a_tokenizer_must_say_how_it_pads() -> None:
    with pytest.raises(ValueError, match="which id pads"):
        Tokenizer(Backend(models.WordLevel({"<unk>": 0}, unk_token="<unk>")))


def test_ids_and_mask(tokenizer: Tokenizer) -> None:
    dog = tokenizer.pieces("dog")
    ids, mask = tokenizer.encode_batch(["dog", ""])
    vocabulary = tokenizer.vocabulary
    pad, unknown, start, end = (vocabulary[f"<{name}>"] for name in ("pad", "unk", "start", "end"))
    assert (pad, unknown, start, end) == (0, 1, 2, 3)
    assert ids.tolist() == [
        [start, *(vocabulary[piece] for piece in dog), end],
        [start, end] + [pad] * len(dog),
    ]
    assert mask.tolist() == [[True] * (2 + len(dog)), [True] * 2 + [False] * len(dog)]


def test_a_text_does_not_depend_on_its_batch(tokenizer: Tokenizer) -> None:
    ids, mask = tokenizer.encode_batch(TEXTS)
    for text, row, kept in zip(TEXTS, ids, mask, strict=True):
        assert row[kept].tolist() == tokenizer.encode_batch([text])[0][0].tolist()


def test_a_long_text_keeps_its_end_token(tokenizer: Tokenizer) -> None:
    ids, mask = tokenizer.encode_batch(["dog " * 100_000, "狗" * 20_000], max_length=8)
    assert ids.shape == (2, 8)
    assert mask.all()
    assert ids[:, -1].tolist() == [tokenizer.vocabulary["<end>"]] * 2


def test_names_of_special_tokens_are_plain_text(tokenizer: Tokenizer) -> None:
    ids, _ = tokenizer.encode_batch(["<end> dog <pad>"])
    special = [tokenizer.vocabulary[name] for name in ("<pad>", "<start>", "<end>")]
    assert [number for number in ids[0, 1:-1].tolist() if number in special] == []
    assert ids[0, -1] == tokenizer.vocabulary["<end>"]


def test_bytes_know_every_script(tokenizer: Tokenizer) -> None:
    unseen = "ქართული ᚠᚢᚦ 🦩 Ελληνικά"
    assert "<unk>" not in tokenizer.pieces(unseen)
    ids, _ = tokenizer.encode_batch([unseen, unseen.replace("🦩", "🦚")])
    assert not torch.equal(ids[0], ids[1])


def test_what_utf_8_cannot_hold_is_still_encoded(tokenizer: Tokenizer) -> None:
    assert tokenizer.pieces("dog \udcff") == tokenizer.pieces("dog ?")
    assert tokenizer.encode_batch(["dog \x00"])[0].shape[0] == 1


def test_training_is_deterministic_and_saving_exact(tmp_path: Path) -> None:
    shuffled = random.Random(0).sample(TEXTS, len(TEXTS))
    first = Tokenizer.train(TEXTS, vocabulary_size=330, min_frequency=1)
    second = Tokenizer.train(iter(shuffled), vocabulary_size=330, min_frequency=1)
    assert first.fingerprint == second.fingerprint

    first.encode_batch(TEXTS, max_length=5)  # leaves nothing behind in the file
    first.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.fingerprint == first.fingerprint == second.fingerprint
    assert loaded.pad_id == first.pad_id
    for saved, made in zip(loaded.encode_batch(TEXTS), first.encode_batch(TEXTS), strict=True):
        assert torch.equal(saved, made)
    assert "<end>" not in loaded.pieces("dog")


def test_fingerprints_tell_tokenizers_apart(tokenizer: Tokenizer) -> None:
    cased = Tokenizer.train(TEXTS, vocabulary_size=400, lowercase=False)
    assert cased.fingerprint != tokenizer.fingerprint
    assert cased.pieces("A dog") != cased.pieces("a dog")
    assert tokenizer.pieces("A dog") == tokenizer.pieces("a dog")


def test_the_vocabulary_is_no_larger_than_asked_for() -> None:
    assert len(Tokenizer.train(["dog dog cat cat bird"] * 9, vocabulary_size=263)) == 263


def test_norwegian_reaches_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(TEXTS, min_frequency=1, languages=["en", "no", "zh-baidu"])
    tokenizer.save(tmp_path / "tokenizer.json")
    for each in (tokenizer, Tokenizer.load(tmp_path / "tokenizer.json")):
        dog = [each.vocabulary[piece] for piece in each.pieces("dog")]
        ids, mask = each.encode_batch(["dog", "dog", "dog"], ["no", "zh", "cs"])
        vocabulary = each.vocabulary
        tags = [vocabulary[f"<language:{tag}>"] for tag in ("no", "zh", "und")]
        assert ids[:, 1].tolist() == tags
        assert ids[:, 0].tolist() == [vocabulary["<start>"]] * 3
        assert mask.sum(1).tolist() == [3 + len(dog)] * 3
        assert each.encode_batch(["dog " * 50], ["no"], max_length=6)[0].shape == (1, 6)
        assert each.encode_batch(["dog"])[0].tolist() == [
            [vocabulary["<start>"], *dog, vocabulary["<end>"]]
        ]


def test_languages_are_ignored_where_none_were_trained(tokenizer: Tokenizer) -> None:
    assert torch.equal(
        tokenizer.encode_batch(["dog"], ["no"])[0], tokenizer.encode_batch(["dog"])[0]
    )


def test_threads_may_share_a_tokenizer(tokenizer: Tokenizer) -> None:
    lengths = [3, 5, 8] * 50
    with ThreadPoolExecutor(4) as pool:
        encoded = list(
            pool.map(lambda n: tokenizer.encode_batch(["dog " * 9], max_length=n)[0], lengths)
        )
    assert [ids.shape[1] for ids in encoded] == lengths


def test_wrong_numbers_are_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="no room"):
        tokenizer.encode_batch(["dog"], max_length=2)
    with pytest.raises(ValueError, match="2 texts but 1 languages"):
        tokenizer.encode_batch(["dog", "cat"], ["no"])
    with pytest.raises(ValueError, match="and bytes"):
        Tokenizer.train(TEXTS, vocabulary_size=200)


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_no_text_at_all(tokenizer: Tokenizer) -> None:
    ids, mask = tokenizer.encode_batch([], [])
    assert ids.shape == mask.shape == (0, 0)


def test_words_of_pieces_are_those_of_the_text() -> None:
    tokenizer = Tokenizer.train(TEXTS, vocabulary_size=330)
    text = "Ein Hund, läuft 一只狗 ｄｏｇ’s \u0065\u0301t\u0065\u0301  👩🏽‍🚀🐕"
    (found,) = tokenizer.encode_words([text])
    said = {number: piece for piece, number in tokenizer.vocabulary.items()}
    assert [said[number] for number in found.ids] == tokenizer.pieces(text)
    assert found.words == sorted(found.words)
    by_word: dict[int, list[int]] = {}
    for number, word in zip(found.ids, found.words, strict=True):
        by_word.setdefault(word, []).append(number)
    decoded = [tokenizer._backend.decode(ids).strip() for ids in by_word.values()]
    whole = [word for word in decoded if "\ufffd" not in word]
    assert whole[:3] == ["ein", "hund", ","]
    assert {"läuft", "dog", "’", "s", "été"} <= set(whole)
    assert not any("一" in word and "狗" in word for word in decoded)  # characters stay apart
    assert tokenizer.encode_words(["", " \n"]) == [([], []), ([], [])]


def test_a_mask_is_there_only_when_asked_for(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(TEXTS, vocabulary_size=330, languages=["en"], mask=True)
    tokenizer.save(tmp_path / "tokenizer.json")
    for each in (tokenizer, Tokenizer.load(tmp_path / "tokenizer.json")):
        assert each.mask_id == each.vocabulary["<mask>"] == 4
        assert each.around == (each.vocabulary["<start>"], each.vocabulary["<end>"])
        assert each.special_ids == list(range(7))  # pad, unk, start, end, mask and two languages
        assert each.mask_id not in each.encode_words(["a <mask> runs"])[0].ids
    without = Tokenizer.train(TEXTS, vocabulary_size=330)
    with pytest.raises(ModelError, match="no token that hides words"):
        _ = without.mask_id
    assert without.special_ids == [0, 1, 2, 3]


def test_what_tokens_say() -> None:
    tokenizer = Tokenizer.train(TEXTS * 3, vocabulary_size=420)
    texts = tokenizer.texts()
    assert len(texts) == len(tokenizer)
    said = {piece: texts[number] for piece, number in tokenizer.vocabulary.items()}
    assert said["<start>"] == said["<pad>"] == ""
    assert said["Ã"] == ""  # the first half of an umlaut
    assert said["Ġgras"] == "gras"
    assert said["er"] == ""  # goes on with a word
    assert "跑" in texts  # begins one, as every character of its script
    assert not any("\ufffd" in text for text in texts)
