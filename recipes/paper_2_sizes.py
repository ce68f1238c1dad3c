"""Parameters of the text embedding as languages are added: word vectors against characters.

`python recipes/paper_2_sizes.py` builds both from the training captions of Flickr8k, as training
would, counts what learns, and writes `docs/results/paper-2-sizes.json` for the page of paper 2.
Needs POLYGLANCE_FLICKR8K.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from polyglance.data.manifest import read_manifest
from polyglance.text.alphabet import Alphabet
from polyglance.text.character_words import CharacterWords
from polyglance.text.learned_words import LearnedWords
from polyglance.text.segment import Segmenter
from polyglance.text.vocabulary import Vocabulary

LANGUAGES = ("en", "de", "fr", "cs", "pt", "ar", "zh")
WIDTHS = {"official": (384, 448, 300), "256-256": (256, 256), "128-256": (128, 256)}
OUTPUT = Path("docs/results/paper-2-sizes.json")


def main() -> None:
    """Count for one language, two, and so on to all of them."""
    records = read_manifest(Path(os.environ["POLYGLANCE_FLICKR8K"]) / "train.jsonl")
    segmenter = Segmenter()
    words: list[str] = []
    rows = []
    for number, tag in enumerate(LANGUAGES, start=1):
        for record in records:
            for caption in record.captions.get(tag, ()):
                words += segmenter.words(caption, tag)
        rows.append({"languages": LANGUAGES[:number], **sizes(words)})
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {OUTPUT}")


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


if __name__ == "__main__":
    main()
