"""WordNet 3.0's nouns: synonyms, hypernyms, and which of them name things."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

THINGS = {5, 6, 8, 13, 17, 18, 20, 27}
"""Lexicographer files: animals, artefacts, bodies, food, objects, persons, plants, substances."""


class WordNet:
    """Synsets by their offset in ``data.noun`` (Miller, CACM 1995; format: wndb(5WN)).

    Attributes:
        lemmas: offset → synonyms.
        above: offset → offsets of the hypernyms.
        file: offset → lexicographer file.
    """

    def __init__(self, path: Path) -> None:
        self.lemmas: dict[str, list[str]] = {}
        self.above: dict[str, list[str]] = {}
        self.file: dict[str, int] = {}
        self._synsets: dict[str, list[str]] = defaultdict(list)
        for line in path.read_text("latin1").splitlines():
            if not line.startswith(" "):  # the licence is indented
                self._read(line.split("|")[0].split())

    def _read(self, fields: list[str]) -> None:
        offset, count = fields[0], int(fields[3], 16)
        lemmas = [fields[4 + 2 * index].replace("_", " ") for index in range(count)]
        start = 4 + 2 * count
        pointers = range(start + 1, start + 1 + 4 * int(fields[start]), 4)
        self.lemmas[offset] = lemmas
        self.file[offset] = int(fields[1])
        self.above[offset] = [fields[at + 1] for at in pointers if fields[at] in ("@", "@i")]
        for lemma in lemmas:
            self._synsets[lemma.lower()].append(offset)

    def names_a_thing(self, word: str) -> bool:
        """Whether any noun sense of the word is something to be seen."""
        return any(self.file[offset] in THINGS for offset in self._synsets.get(word.lower(), ()))

    def hypernyms(self, offset: str, *, levels: int = 4) -> set[str]:
        """Lower-case names of the first hypernyms upwards."""
        found: set[str] = set()
        for _ in range(levels):
            if not self.above.get(offset):
                break
            offset = self.above[offset][0]
            found.update(lemma.lower() for lemma in self.lemmas[offset])
        return found
