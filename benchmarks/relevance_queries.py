"""What collections of photos are asked, with and without a match in them; see ``relevance.py``."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyglance import Retriever
from polyglance.data.manifest import read_manifest
from polyglance.data.record import Record
from polyglance.search.relevance import reference_texts
from polyglance.weights.cache import cache_folder

Vectors = NDArray[np.float32]
Names = dict[str, str]  # language → name

LANGUAGES = ("en", "de", "fr", "zh", "pt", "ar", "cs")
SUBJECTS = (  # patterns of words without a plural's s
    r"dog|pupp(y|ie)|poodle|greyhound",
    r"snow\w*|ski\w*|sled\w*|ice|icy",
    r"water|ocean|sea|beach|pool|swim\w*|river|lake|surf\w*|wave|boat|splash\w*",
    r"bik\w+|bicycl\w*|cycl\w*|motorcycl\w*|motorbike|car|rac\w+|truck|skateboard\w*",
    r"climb\w*|cliff|rock\w*|mountain\w*",
    r"football|soccer|ball|basketball|baseball|tenni|volleyball|rugby|player|hockey",
    r"boy|girl|child\w*|kid|bab(y|ie)|toddler",
)
ASKED = 200  # made-up queries, and names, of a kind and language
ABOUT = 50  # captions about a subject
PHOTOS = 1000  # of a split, of which half may lie in a collection


class Asked(NamedTuple):
    """Queries of one kind and language, (queries, dimension), and the collection that is asked.

    ``photos`` is the row of the photo that each describes, where it lies in the collection.
    """

    kind: str
    language: str
    vectors: Vectors
    collection: Vectors
    photos: NDArray[np.intp] | None = None


class Embedder:
    """A model whose embeddings are kept in a folder for the next time, if there is one."""

    def __init__(self, retriever: Retriever, folder: Path | None) -> None:
        self.retriever, self.folder = retriever, folder

    def pictures(self, name: str, files: Sequence[Path]) -> Vectors:
        """(pictures, dimension)."""
        encode = self.retriever.encode_images
        return self._kept(f"{name}-pictures", lambda: encode(files, show_progress=True))

    def texts(self, name: str, tag: str | Sequence[str], texts: Sequence[str]) -> Vectors:
        """(texts, dimension)."""
        return self._kept(name, lambda: self.retriever.encode_texts(texts, language=tag))

    def references(self) -> Vectors:
        """(texts, dimension) of the texts that match no picture."""
        tags, texts = zip(*reference_texts(), strict=True)
        return self.texts("references", tags, texts)

    def _kept(self, name: str, encode: Callable[[], Vectors]) -> Vectors:
        path = None if self.folder is None else self.folder / f"{name}.npy"
        if path is not None and path.exists():
            kept: Vectors = np.load(path)
            return kept
        made = encode()
        if path is not None:
            np.save(path, made)
        return made


class Split:
    """The photos of a split, of which one half may lie in collections, and what is asked of them.

    Args:
        embedder: of the photos and texts.
        name: ``val``, or ``train`` for its first thousand; others of ``train`` fill collections up.
    """

    def __init__(self, embedder: Embedder, name: str) -> None:
        folder = Path(os.environ["POLYGLANCE_FLICKR8K"])
        train = list(read_manifest(folder / "train.jsonl"))
        filling = embedder.pictures("train", [each.image for each in train if each.image])
        if name == "train":
            self.records, self.pictures = train[:PHOTOS], filling[:PHOTOS]
            train, filling = train[PHOTOS:], filling[PHOTOS:]
        else:
            self.records = list(read_manifest(folder / f"{name}.jsonl"))
            files = [each.image for each in self.records if each.image]
            self.pictures = embedder.pictures(name, files)
        self.embedder, self.name, self.filling = embedder, name, filling
        order = np.random.default_rng(0).permutation(len(self.records))
        self.inside, self.outside = np.split(order, [len(order) // 2])
        self.bank_texts = [each.captions["en"][0] for each in train[-PHOTOS:]]
        self.said, self.said_filling = _said(self.records), _said(train)
        known = {word for words in (*self.said, *self.said_filling) for word in set.union(*words)}
        self.subjects = [{word for word in known if re.fullmatch(each, word)} for each in SUBJECTS]
        self.strange, self.familiar = _names(known)

    def collection(
        self, size: int, without: AbstractSet[str] = frozenset()
    ) -> tuple[NDArray[np.intp], Vectors]:
        """Rows of the split's photos in a collection, and (size, dimension) all that is in it.

        Args:
            size: as many of the inner half as there are, then others.
            without: words that no caption of a photo in it has.
        """
        inside = np.array([i for i in self.inside if not _says(self.said[i], without)])[:size]
        fill = [i for i, said in enumerate(self.said_filling) if not _says(said, without)]
        return inside, np.concatenate(
            [self.pictures[inside], self.filling[fill[: size - len(inside)]]]
        )

    def bank(self) -> Vectors:
        """(texts, dimension) a thousand English captions of photos that fill collections up."""
        return self.embedder.texts(f"{self.name}-bank", "en", self.bank_texts)

    def asked(self, size: int) -> Iterator[Asked]:
        """Every kind of query, language by language, of collections of ``size`` photos."""
        inside, whole = self.collection(size)
        row = {photo: i for i, photo in enumerate(inside)}
        narrowed = [(subject, *self.collection(size, subject)) for subject in self.subjects]
        for tag in LANGUAGES:
            vectors, photos, shuffled = self._captions(tag)
            there = np.isin(photos, inside)
            rows = np.array([row[photo] for photo in photos[there]])
            yield Asked("captions", tag, vectors[there], whole, rows)
            yield Asked("alike", tag, vectors[np.isin(photos, self.outside)], whole)
            yield Asked("shuffled", tag, shuffled, whole)
            for subject, _, without in narrowed:
                about = [i for i, said in enumerate(self.said) if _says(said, subject, often=3)]
                some = np.flatnonzero(np.isin(photos, about))[:ABOUT]
                yield Asked("subject", tag, vectors[some], without)
            yield from self._named(tag, inside, whole)

    def _captions(self, tag: str) -> tuple[Vectors, NDArray[np.intp], Vectors]:
        """A caption of each photo, its row, and captions with their letters shuffled."""
        pairs = [
            (text, row)
            for row, record in enumerate(self.records)
            for text in record.captions.get(tag, ())[:1]
        ]
        texts, rows = zip(*pairs, strict=True)
        vectors = self.embedder.texts(f"{self.name}-captions-{tag}", tag, texts)
        chance = random.Random(0)
        some = [_shuffled(text, tag, chance) for text in chance.sample(texts, ASKED)]
        shuffled = self.embedder.texts(f"{self.name}-shuffled-{tag}", tag, some)
        return vectors, np.array(rows), shuffled

    def _named(self, tag: str, inside: NDArray[np.intp], whole: Vectors) -> Iterator[Asked]:
        """Names of things that are in a photo, and of things that are in none; letters."""
        names = [names[tag] for names in self.strange if tag in names]
        strange = self.embedder.texts(f"{self.name}-names-{tag}", tag, names)
        yield Asked("names", tag, strange, whole)
        there = [
            names[tag]
            for word, names in self.familiar
            if tag in names and any(_says(self.said[i], {word}, often=3) for i in inside)
        ]
        familiar = self.embedder.texts(f"{self.name}-words-{tag}-{len(inside)}", tag, there)
        yield Asked("words", tag, familiar, whole)
        if tag == "en":
            letters = self.embedder.texts("letters", tag, _letters())
            yield Asked("letters", tag, letters, whole)


def _said(records: Sequence[Record]) -> list[list[set[str]]]:
    """The words of each English caption of each photo, without a plural's s."""
    return [[set(_words(text)) for text in record.captions["en"]] for record in records]


def _says(said: Sequence[AbstractSet[str]], words: AbstractSet[str], *, often: int = 1) -> bool:
    """Whether so many captions have one of the words."""
    return sum(not words.isdisjoint(caption) for caption in said) >= often


def _names(known: AbstractSet[str]) -> tuple[list[Names], list[tuple[str, Names]]]:
    """Names of emoji and stamps: those without any known word, and those that are one, with it."""
    strange, familiar = [], []
    for sample in ("emoji", "stamps"):
        for record in read_manifest(cache_folder() / "samples" / sample / "pictures.jsonl"):
            names = {tag: record.captions[tag][0] for tag in LANGUAGES if tag in record.captions}
            if len(names) < len(LANGUAGES) - 1:  # stamps are not named in Portuguese
                continue
            words = _words(names["en"])
            long = {word for word in words if len(word) > 3}
            if long and long.isdisjoint(known):
                strange.append(names)
            elif len(words) == 1 and words[0] in known:
                familiar.append((words[0], names))
    return random.Random(0).sample(strange, ASKED), familiar


def _letters() -> list[str]:
    chance, alphabet = random.Random(0), "abcdefghijklmnopqrstuvwxyz "
    return ["".join(chance.choices(alphabet, k=chance.randint(5, 30))) for _ in range(ASKED)]


def _words(text: str) -> list[str]:
    return [word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower())]


def _shuffled(text: str, tag: str, chance: random.Random) -> str:
    """A caption with the letters of each word in another order; in Chinese, other characters."""
    if tag == "zh":
        return "".join(chr(chance.randint(0x4E00, 0x9FA5)) for _ in text)
    return " ".join("".join(chance.sample(word, len(word))) for word in text.split())
