"""What a query is made of: texts and pictures, each with a weight, and below zero with a minus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from polyglance.data.language import is_language_tag
from polyglance.data.text import normalise_text
from polyglance.errors import QueryError
from polyglance.text.language_guess import Guess, guess_language

NOT_GIVEN = "und"  # BCP-47 for an undetermined language
MAX_CHARACTERS = 2000
MAX_TERMS = 16
MAX_WEIGHT = 100.0

EMPTY = "the query is empty: give words, a picture, or both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of a query: a text, a picture's file, or a picture of the collection.

    Attributes:
        text: in NFC, or ``None``.
        language: BCP-47 tag of the text; ``und`` where it was not given and not guessed.
        image: a picture file by path or content, or ``None``.
        picture: the id of a picture of the collection, or ``None``.
        weight: of its unit embedding in the sum; below zero, what is like it comes later.
        guess: of the language, where it was not given; used as ``language`` if it is certain.
    """

    text: str | None = None
    language: str = NOT_GIVEN
    image: Path | bytes | None = None
    picture: str | None = None
    weight: float = 1.0
    guess: Guess | None = None

    @classmethod
    def of(
        cls,
        text: str | None = None,
        *,
        language: str | None = None,
        image: Path | bytes | None = None,
        picture: str | None = None,
        weight: float = 1.0,
    ) -> Term:
        """Check and normalise what a user typed; exactly one of the three is given.

        Raises:
            QueryError: none or several are given, the text is empty, too long or not Unicode, the
                language is not a tag, or the weight is 0 or out of range.
        """
        if sum(each is not None for each in (text, image, picture)) != 1:
            raise QueryError("each part of a query is one text or one picture")
        if not isfinite(weight) or not 0 < abs(weight) <= MAX_WEIGHT:
            raise QueryError(
                "the weight {weight:g} is none: use a number up to {most:g} that is not 0",
                weight=weight,
                most=MAX_WEIGHT,
            )
        tag = (language or "").strip() or NOT_GIVEN
        if not is_language_tag(tag):
            raise QueryError(
                "{tag!r} is not a language tag; use one like de, pt-BR or zh-Hant", tag=tag
            )
        words = None if text is None else _cleaned(text)
        return cls(text=words, language=tag, image=image, picture=picture, weight=float(weight))

    def understood(self, expected: Sequence[str]) -> Term:
        """The part with a guess of its language, where it is a text without one.

        Args:
            expected: tags of the languages that it is likely to be in.
        """
        if self.text is None or self.language != NOT_GIVEN:
            return self
        guess = guess_language(self.text, expected=expected)
        language = guess.language if guess is not None and guess.is_certain else NOT_GIVEN
        return replace(self, language=language, guess=guess)

    @property
    def spoken(self) -> str:
        """The language as messages show it: ``de``, ``de (guessed, 97 %)``, ``und (not given)``."""
        if self.guess is None:
            return f"{NOT_GIVEN} (not given)" if self.language == NOT_GIVEN else self.language
        sure = f"{int(100 * self.guess.probability)} %"  # rounded down: 100 % is for no guess
        if self.guess.is_certain:
            return f"{self.language} (guessed, {sure})"
        return f"{self.language} (perhaps {self.guess.language}, {sure})"

    def __str__(self) -> str:
        """The part as a message shows it, without its sign: ``0.5 “at night”``."""
        weight = "" if abs(self.weight) == 1 else f"{abs(self.weight):g} "
        if self.text is not None:
            return f"{weight}“{self.text}”"
        name = self.image.name if isinstance(self.image, Path) else self.picture or "picture"
        return f"{weight}[{name}]"


def _cleaned(text: str) -> str:
    words = normalise_text(text).strip()
    if not words:
        raise QueryError("a text of the query is empty")
    if len(words) > MAX_CHARACTERS:
        raise QueryError("the query is longer than {most} characters", most=MAX_CHARACTERS)
    try:
        words.encode()
    except UnicodeEncodeError:
        raise QueryError("{words!r} is not valid Unicode", words=words) from None
    return words
