"""Step 3a: what a training step of ``mini`` sees."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import torch
from store import CAPTIONED, LANGUAGES, Texts, folder_of
from torch import Tensor
from torch.nn import functional

CHANCES = {"en": 1.0, "de": 0.6, "fr": 0.5, "zh": 0.6, "pt": 0.5, "ar": 0.5, "cs": 0.8}
"""How likely a photo of a batch is shown with a caption in a language, where it has one."""

EMPHASIS = {"cs": 4.0, "hi": 1.5, "ko": 1.5, "th": 1.5}
"""How often words of a language are drawn, the others being 1: the encoder knows these least."""

MOST_NAMES = 12


class Ragged:
    """Lists of rows, one a photo or a class, to draw one row from each."""

    def __init__(self, lists: list[list[int]], device: torch.device, *, most: int) -> None:
        lists = [rows[:most] for rows in lists]
        self.count = torch.tensor([len(rows) for rows in lists], device=device)
        padded = torch.zeros(len(lists), most, dtype=torch.int64)
        for index, rows in enumerate(lists):
            padded[index, : len(rows)] = torch.tensor(rows, dtype=torch.int64)
        self.rows = padded.to(device)

    def draw(self, which: Tensor) -> Tensor:
        """(which,) → one row of each, evenly."""
        chance = torch.rand(len(which), device=which.device)
        return self.rows[which, (chance * self.count[which]).long()]


class Captions:
    """Flickr8k's captions by language and photo."""

    def __init__(self, split: str, texts: Texts, device: torch.device) -> None:
        path = folder_of("POLYGLANCE_FLICKR8K") / f"{split}.jsonl"
        self.records: list[dict[str, Any]] = [
            json.loads(line) for line in path.read_text("utf-8").splitlines()
        ]
        self.by_language = {
            language: Ragged(
                [texts.rows(record["captions"].get(language, [])) for record in self.records],
                device,
                most=5,
            )
            for language in CAPTIONED
        }

    def draw(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """(photos,) → text rows (texts,), and the position in ``photos`` that each describes."""
        rows: list[Tensor] = []
        owners: list[Tensor] = []
        for language, ragged in self.by_language.items():
            shown = torch.rand(len(photos), device=photos.device) < CHANCES[language]
            owner = torch.nonzero(shown & (ragged.count[photos] > 0))[:, 0]
            rows.append(ragged.draw(photos[owner]))
            owners.append(owner)
        return torch.cat(rows), torch.cat(owners)

    def all(self, language: str) -> tuple[Tensor, Tensor]:
        """Every caption of a language: text rows, and each one's photo."""
        ragged = self.by_language[language]
        inside = torch.arange(ragged.rows.shape[1], device=ragged.rows.device)
        photo, place = torch.nonzero(inside[None] < ragged.count[:, None], as_tuple=True)
        return ragged.rows[photo, place], photo


class Translations:
    """Words and sentences beside the frozen embedding of their English."""

    def __init__(
        self, lexicon: dict[str, Any], captions: Captions, texts: Texts, device: torch.device
    ) -> None:
        self.sentences = texts.sentences
        words: list[int] = []
        glosses: list[list[int]] = []
        starts: list[int] = []
        sizes: list[int] = []
        taught = [language for language in LANGUAGES if language in lexicon["words"]]
        for language in taught:
            entries = lexicon["words"][language]
            starts.append(len(words))
            words += texts.rows(list(entries))
            glosses += [texts.rows(english) for english in entries.values()]
            sizes.append(len(words) - starts[-1])
        self.words = torch.tensor(words, device=device)
        self.meanings = mean_rows(glosses, texts)
        self.starts = torch.tensor(starts, device=device)
        self.sizes = torch.tensor(sizes, device=device)
        self.weights = torch.tensor([EMPHASIS.get(each, 1.0) for each in taught], device=device)
        folder = folder_of("POLYGLANCE_MULTI30K_TEXT")
        lines = {
            language: (folder / f"train.{language}.txt").read_text("utf-8").splitlines()
            for language in ("en", "cs", "de", "fr")
        }
        self.parallel = {
            language: torch.tensor(texts.rows([text.strip() for text in found]), device=device)
            for language, found in lines.items()
        }
        pairs = [record["parallel"] for record in captions.records if record.get("parallel")]
        pairs = [pair for pair in pairs if "cs" in pair and "en" in pair]
        self.photos = {
            language: torch.tensor(texts.rows([pair[language] for pair in pairs]), device=device)
            for language in ("en", "cs")
        }

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """``count`` words and half as many sentences: text rows, and (…, 512) English targets."""
        device = self.words.device
        language = torch.multinomial(self.weights, count, replacement=True)
        chance = torch.rand(count, device=device)
        word = self.starts[language] + (chance * self.sizes[language]).long()
        rows, targets = [self.words[word]], [self.meanings[word]]
        for tongue, share in (("cs", 0.3), ("de", 0.05), ("fr", 0.05)):
            pair = torch.randint(len(self.parallel["en"]), (int(count * share),), device=device)
            rows.append(self.parallel[tongue][pair])
            targets.append(self.sentences[self.parallel["en"][pair]])
        pair = torch.randint(len(self.photos["en"]), (count // 10,), device=device)
        rows.append(self.photos["cs"][pair])
        targets.append(self.sentences[self.photos["en"][pair]])
        return torch.cat(rows), torch.cat(targets)


class ClassNamesByLanguage:
    """The names of the ImageNet classes, as a lexicon or a dictionary gives them."""

    def __init__(self, lexicon: dict[str, Any], texts: Texts, device: torch.device) -> None:
        translated: dict[tuple[str, str], list[str]] = defaultdict(list)
        for language, entries in lexicon["words"].items():
            for word, glosses in entries.items():
                for english in glosses:
                    translated[language, english].append(word)
        names = [named(found, translated) for found in lexicon["classes"]]
        self.ragged = [
            Ragged([texts.rows(each.get(language, [])) for each in names], device, most=MOST_NAMES)
            for language in LANGUAGES
        ]
        counts = torch.stack([ragged.count for ragged in self.ragged])  # (languages, classes)
        self.language, self.classes = torch.nonzero(counts, as_tuple=True)
        self.chance = torch.where(self.language == LANGUAGES.index("en"), 3.0, 1.0)
        self.english = mean_rows(
            [texts.rows([each["en"][0]] * 3 + each["en"][1:]) for each in lexicon["classes"]], texts
        )

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Text rows (count,) in every language, and the class of each."""
        chosen = torch.multinomial(self.chance, count)
        language, classes = self.language[chosen], self.classes[chosen]
        rows = torch.empty_like(classes)
        for index, ragged in enumerate(self.ragged):
            here = language == index
            rows[here] = ragged.draw(classes[here])
        return rows, classes


def named(
    found: dict[str, list[str]], translated: dict[tuple[str, str], list[str]]
) -> dict[str, list[str]]:
    """A class's own names, twice as often as those that a dictionary has for its English."""
    first, *others = found["en"]
    names = {"en": [first] * 3 + [first.lower()] * 2 + others}
    for language in LANGUAGES:
        if language == "en":
            continue
        own = [form for name in found.get(language, []) for form in (name, name.lower())]
        looked_up = [
            word
            for english in dict.fromkeys(name.lower() for name in found["en"])
            for word in translated[language, english][:6]
        ]
        names[language] = own + looked_up
    return names


def mean_rows(lists: list[list[int]], texts: Texts) -> Tensor:
    """Each list's mean sentence embedding, normalised: (lists, 512)."""
    sentences = texts.sentences
    flat = torch.tensor([row for rows in lists for row in rows], device=sentences.device)
    owner = torch.tensor(
        [index for index, rows in enumerate(lists) for _ in rows], device=sentences.device
    )
    total = torch.zeros(len(lists), sentences.shape[1], device=sentences.device)
    for part in torch.split(torch.arange(len(flat), device=sentences.device), 100_000):
        total.index_add_(0, owner[part], sentences[flat[part]])
    return functional.normalize(total, dim=1)
