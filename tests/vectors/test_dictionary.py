"""Dictionaries as MUSE, tables and DICT servers have them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from polyglance.errors import ConfigError
from polyglance.vectors.dictionary import Translations, identical_words, match, read_dictionary
from polyglance.vectors.space import WordSpace

# Entries as FreeDict's packages have them: numbered senses, notes, examples, references.
ENTRIES = {
    "00databaseinfo": "00-database-info\nEnglish-Ruritanian\n  by somebody\n",
    "child": 'child /tʃˈaɪld/\nKind <neut>\n      "Do you have children?"  - Haben Sie Kinder?\n'
    "   Synonym: {bairn}\n\n see: {children}, {bairns}\n\n",
    "man": "man /mein/\n1. être humain, homme\n2. mâle (animal)\n",
    "bicycle": "bicycle\nkolo\n         Note: na ježdění\n",
    "hund": "Hund /hˈʊnt/ <masc, n, sg>\n [zool.] dog <n>, dawg <n> [Am., coll.]\n",
    "run": "run /ɹˈʌn/ (ran /ɹˈan/ <>, run <>) <v>\nlaufen <v, intr>, sich beeilen\n",
    "a lot": "a lot /əlɔt/\nbeaucoup\n",
    "abatjour": "abat-jour /abaʒuʀ/ <n, masc>\nlampshade\n",
    "notatall": "not at all\nkeineswegs\n",
}


def digits(number: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = ""
    while number or not text:
        number, digit = divmod(number, 64)
        text = alphabet[digit] + text
    return text


def dictd(folder: Path, *, packed: bool) -> Path:
    content, lines = b"\n", []
    for headword, entry in ENTRIES.items():
        lines.append(f"{headword}\t{digits(len(content))}\t{digits(len(entry.encode()))}\n")
        content += entry.encode()
    (folder / "freedict-x-y.index").write_text("".join(lines), encoding="utf-8")
    data = folder / ("freedict-x-y.dict.dz" if packed else "freedict-x-y.dict")
    data.write_bytes(gzip.compress(content) if packed else content)
    return data


def space(*words: str) -> WordSpace:
    return WordSpace(list(words), torch.eye(len(words)))


@pytest.mark.parametrize("packed", [True, False])
def test_dictd(tmp_path: Path, packed: bool) -> None:
    data = dictd(tmp_path, packed=packed)
    entries = read_dictionary(data)
    assert entries == [
        ("child", "Kind"),
        ("man", "être humain"),
        ("man", "homme"),
        ("man", "mâle"),
        ("bicycle", "kolo"),
        ("Hund", "dog"),
        ("Hund", "dawg"),
        ("run", "laufen"),
        ("run", "sich beeilen"),
        ("abat-jour", "lampshade"),
    ]
    assert read_dictionary(tmp_path / "freedict-x-y.index") == entries
    assert read_dictionary(data, reverse=True)[0] == ("Kind", "child")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda index, data: data.unlink(), r"freedict-x-y\.dict is not beside it"),
        (lambda index, data: index.unlink(), r"freedict-x-y\.index is not beside it"),
        (lambda index, data: data.write_bytes(b"x"), "install the dictionary again"),
        (lambda index, data: data.write_bytes(data.read_bytes()[:-9]), "install the dictionary"),
        (lambda index, data: index.write_text("a\tB\n"), r"freedict-x-y\.index:1: a headword and"),
        (lambda index, data: index.write_text("a\tB\t!\n"), r"\.index:1: a headword and"),
        (lambda index, data: index.write_text(""), "no entries"),
    ],
)
def test_damaged_dictionaries_are_named(tmp_path: Path, harm: object, message: str) -> None:
    data = dictd(tmp_path, packed=True)
    harm(tmp_path / "freedict-x-y.index", data)
    with pytest.raises(ConfigError, match=message):
        read_dictionary(data)


@pytest.mark.parametrize(
    ("content", "entries"),
    [
        (
            "dog Hund\ncat  Katze\n\ncat Kater\n",
            [("dog", "Hund"), ("cat", "Katze"), ("cat", "Kater")],
        ),
        ("dog\tHund\nhot dog\tWürstchen\tfood\n", [("dog", "Hund"), ("hot dog", "Würstchen")]),
    ],
)  # MUSE has spaces or tabs
def test_pairs_and_tables(tmp_path: Path, content: str, entries: list[tuple[str, str]]) -> None:
    path = tmp_path / "en-de.txt"
    path.write_text(content, encoding="utf-8")
    assert read_dictionary(path) == entries


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dog Hund\ncat\n", r"en-de\.txt:2: a word and its translation"),
        ("dog\t\n", r"en-de\.txt:1: a word and its translation"),
        ("\n", "no entries"),
        (None, "No such file"),
    ],
)
def test_bad_pairs_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "en-de.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_dictionary(path)


def test_words_are_looked_up_as_written_and_in_lower_case() -> None:
    entries = [
        ("dog", "Hund"),
        ("Dog", "hund"),  # the same again
        ("dog", "Hunde"),
        ("cat", "Katze"),  # no vector
        ("zebra", "Zebra"),
        ("run", "sich beeilen"),  # two words: never asked for
        ("Polish", "polnisch"),  # its own vector before that of "polish"
    ]
    translations = match(
        entries,
        space("polish", "Polish", "dog", "cat"),
        space("hunde", "hund", "polnisch", "zebra"),
    )
    assert translations.pairs.tolist() == [[1, 2], [2, 0], [2, 1]]
    assert (translations.words, translations.asked) == (2, 4)
    assert translations.coverage == 0.5


def test_no_entry_matches() -> None:
    translations = match([("a", "b")], space("x"), space("y"))
    assert (translations.pairs.shape, translations.words, translations.coverage) == ((0, 2), 0, 0.0)


def test_identical_words() -> None:
    translations = identical_words(space("la", "2", "pizza"), space("pizza", "der", "2"))
    assert translations.pairs.tolist() == [[1, 2], [2, 0]]


def test_a_word_is_learned_from_or_measured_on_and_never_both() -> None:
    words = [f"word{number}" for number in range(1000)]
    rows = torch.arange(1000)
    pairs = torch.cat([torch.stack([rows, rows], 1), torch.stack([rows, rows + 1], 1)])
    translations = Translations(pairs, 1000)
    learned, measured = translations.split(0.2, words=words, seed=3)
    assert learned.words + measured.words == 1000
    assert 160 < measured.words < 240  # three standard deviations
    assert (learned.asked, measured.asked) == (learned.words, measured.words)
    assert len(measured.pairs) == 2 * measured.words
    assert not set(learned.pairs[:, 0].tolist()) & set(measured.pairs[:, 0].tolist())
    again, other = (translations.split(0.2, words=words, seed=seed)[1] for seed in (3, 4))
    assert torch.equal(again.pairs, measured.pairs)
    assert not torch.equal(other.pairs, measured.pairs)
    for share, words_measured in ((0.0, 0), (1.0, 1000)):
        assert translations.split(share, words=words)[1].words == words_measured


def test_all_spaces_hold_out_the_same_words() -> None:
    words = [f"word{number}" for number in range(200)]
    entries = [(word, word.upper()) for word in words]
    found = []
    for order in (words, words[150:10:-1], ["more", *words[5:190:3]]):
        source = space(*order)
        target = space(*(word.upper() for word in order))
        _, measured = match(entries, source, target).split(0.3, words=source.words, seed=1)
        found.append({order[row] for row in measured.pairs[:, 0].tolist()})
    for order, drawn in zip((words[150:10:-1], words[5:190:3]), found[1:], strict=True):
        assert drawn == found[0] & set(order)
        assert drawn


def test_of_several_translations_the_most_frequent() -> None:
    several = Translations(torch.tensor([[4, 9], [1, 5], [4, 2], [1, 7]]), 3)
    first = several.most_frequent()
    assert first.pairs.tolist() == [[1, 5], [4, 2]]
    assert first.asked == 3
    assert match([], space("a"), space("b")).most_frequent().words == 0
