"""The words by which captions are looked up, the same for a caption and for a query.

They are those of :mod:`polyglance.text.segment`, without punctuation marks, and folded: case,
accents on Latin, Greek, Arabic and Hebrew letters, and letters that keyboards interchange are one,
so that ``Zürich`` is ``zurich``. Marks of other scripts stay: in Hindi or Thai they are vowels.

What is written without spaces gives every character, and every two that stand side by side
(Nie, Gao, Zhang and Zhou, "On the use of words and n-grams for Chinese information retrieval",
IRAL 2000): no dictionary has to know a word or cut a query as it cut the caption. A word of a
language with spaces is never taken apart: *Hund* does not find *Schneehund*, nor *dogs* *dog*.

The index is told to split at spaces alone, so that the rule is here and nowhere else.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

# Beginnings of the names of characters.
_SPACELESS = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR")
_KATAKANA = "KATAKANA"
_ACCENTED = ("LATIN", "GREEK", "ARABIC", "HEBREW")
# Strokes, which are no accents to Unicode; dotless i; Persian and Arabic forms of one letter.
_ALIKE = str.maketrans("łøđħıىیک", "lodhiييك", "ـ")


def words_of_captions(captions: Mapping[str, Sequence[str]] | None) -> str | None:
    """The words of all captions, by language tag, between spaces; ``None`` without captions."""
    if not captions:
        return None
    return " ".join(words_of_text(text) for tag in sorted(captions) for text in captions[tag])


def words_of_text(text: str) -> str:
    """The words of one text, between spaces; empty where it has none."""
    from polyglance.text.segment import Segmenter

    return " ".join(_looked_up(Segmenter().words(text)))


def _looked_up(words: list[str]) -> Iterator[str]:
    run: list[str] = []  # of characters without spaces between them
    for word in words:
        telling = _tells(word)
        if telling and (characters := _characters(word)):
            run += characters
            continue
        yield from _with_pairs(run)
        run = []
        if telling:
            yield _folded(word)
    yield from _with_pairs(run)


def _characters(word: str) -> list[str]:
    """Those, each with its marks, of a word in a script without spaces; empty in others."""
    name = _name(word[0])
    if name.startswith(_KATAKANA):
        return list(word)
    return [word] if name.startswith(_SPACELESS) else []


def _with_pairs(run: list[str]) -> Iterator[str]:
    yield from run
    yield from (first + second for first, second in pairwise(run))


def _tells(word: str) -> bool:
    """Whether a letter, a number or an emoji is in it, and not punctuation alone."""
    categories = {unicodedata.category(character) for character in word}
    return "So" in categories or any(category[0] in "LN" for category in categories)


def _folded(word: str) -> str:
    kept: list[str] = []
    accented = False
    for character in unicodedata.normalize("NFD", word.casefold()):
        is_mark = unicodedata.category(character) == "Mn"
        if not is_mark:
            accented = _name(character).startswith(_ACCENTED)
        if not (is_mark and accented):
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_ALIKE)


def _name(character: str) -> str:
    return unicodedata.name(character, "")
