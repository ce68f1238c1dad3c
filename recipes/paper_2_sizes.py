"""Word vectors against characters: their parameters, and the words that have no vector.

`python recipes/paper_2_sizes.py` builds both from the training captions of Flickr8k, as training
would, counts what learns as languages are added, and the words of the validation captions that
word vectors do not know; and writes `docs/results/paper-2-sizes.json` and `paper-2-unknown.json`
for the page of paper 2. Needs POLYGLANCE_FLICKR8K.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean

from polyglance.data.manifest import read_manifest
from polyglance.text.alphabet import Alphabet
from polyglance.text.character_words import CharacterWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.segment import Segmenter
from polyglance.text.vocabulary import Vocabulary

SINGLE = ("en", "de", "zh")  # that the page has models of their own for
LETTERS = 26  # of a word that LIWE reads
LANGUAGES = ("en", "de", "fr", "cs", "pt", "ar", "zh")
WIDTHS = {"official": (384, 448, 300), "256-256": (256, 256), "128-256": (128, 256)}
RESULTS = Path("docs/results")


def main() -> None:
    """Count for one language, two, and so on to all of them; and what each leaves unknown."""
    folder = Path(os.environ["POLYGLANCE_FLICKR8K"])
    train, validation = (captions(folder / f"{split}.jsonl") for split in ("train", "val"))
    words: list[str] = []
    rows = []
    for number, tag in enumerate(LANGUAGES, start=1):
        words += chain.from_iterable(train[tag])
        rows.append({"languages": LANGUAGES[:number], **sizes(words)})
    write("sizes", rows)
    write("unknown", [{"language": tag, **unknown(train[tag], validation[tag])} for tag in SINGLE])


def captions(manifest: Path) -> dict[str, list[list[str]]]:
    """Language → the words of each caption."""
    segmenter, records = Segmenter(), read_manifest(manifest)
    return {
        tag: [segmenter.words(text, tag) for r in records for text in r.captions.get(tag, ())]
        for tag in LANGUAGES
    }


def write(name: str, rows: list[dict[str, object]]) -> None:
    """For the page."""
    path = RESULTS / f"paper-2-{name}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def sizes(words: Sequence[str]) -> dict[str, int]:
    """What learned words and LIWE come to over these captions' words."""
    vocabulary, alphabet = Vocabulary.of(words), Alphabet.of(words)
    found = {
        "words": len(vocabulary),
        "characters": len(alphabet),
        "learned": LearnedWords(vocabulary=vocabulary).parameter_count(),
    }
    for name, widths in WIDTHS.items():
        found[name] = CharacterWords(alphabet=alphabet, widths=widths).parameter_count()
    return found


def unknown(train: Sequence[list[str]], validation: Sequence[list[str]]) -> dict[str, float]:
    """How much of the validation captions word vectors of the training captions cannot read."""
    known = set(Vocabulary.of(list(chain.from_iterable(train))).words)
    missing = [sum(word not in known for word in words) for words in validation]
    return {
        "words": 100 * sum(missing) / sum(map(len, validation)),
        "captions": 100 * sum(map(bool, missing)) / len(validation),
        "longer": 100 * fmean(len(word) > LETTERS for words in validation for word in words),
    }


if __name__ == "__main__":
    main()
