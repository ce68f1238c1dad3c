"""What a collection is asked: texts in any language, pictures, or several of both at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyglance.data.language import primary_language
from polyglance.errors import QueryError
from polyglance.search.terms import EMPTY, MAX_TERMS, NOT_GIVEN, Term


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: one text or picture, or several at once.

    Attributes:
        terms: its parts.
    """

    terms: tuple[Term, ...]

    @classmethod
    def of(
        cls, text: str | None, *, language: str | None = None, image: Path | bytes | None = None
    ) -> Query:
        """A text, a picture, or both with the same weight.

        Raises:
            QueryError: there is neither text nor picture, the text is too long, or the language
                is not a tag.
        """
        terms = []
        if text is not None and text.strip():
            terms.append(Term.of(text, language=language))
        if image is not None:
            terms.append(Term.of(image=image, language=language))
        return cls.combined(terms)

    @classmethod
    def combined(cls, terms: Iterable[Term]) -> Query:
        """Texts and pictures with weights, in any number up to 16.

        Raises:
            QueryError: there are none, or too many.
        """
        parts = tuple(terms)
        if not parts:
            raise QueryError(EMPTY)
        if len(parts) > MAX_TERMS:
            raise QueryError("the query has more than {most} parts", most=MAX_TERMS)
        return cls(parts)

    @property
    def text(self) -> str | None:
        """The first text that is wanted, or ``None``."""
        return self._wanted.text

    @property
    def language(self) -> str:
        """The tag of that text; ``und`` where it is not known, or there is none."""
        return self._wanted.language if self._wanted.text is not None else NOT_GIVEN

    @property
    def languages(self) -> tuple[str, ...]:
        """The tag of every text, in their order."""
        return tuple(term.language for term in self.texts)

    @property
    def texts(self) -> tuple[Term, ...]:
        """The parts that are texts, in their order."""
        return tuple(term for term in self.terms if term.text is not None)

    def understood(self, expected: Sequence[str]) -> Query:
        """The query with guesses of the languages that were not given.

        Args:
            expected: tags of the languages that texts are likely to be in.
        """
        return Query(tuple(term.understood(expected) for term in self.terms))

    @property
    def only_words(self) -> bool:
        """Whether the query is one text, wanted, and nothing else."""
        return len(self.terms) == 1 and self.text is not None

    def wanted_texts(self) -> list[str]:
        """The texts that are to be looked for in captions, whatever their weights.

        Raises:
            QueryError: there is none, or there is one with a minus.
        """
        if any(term.weight < 0 for term in self.texts):
            raise QueryError(
                "words with a minus cannot be taken out of captions: leave them out, or search "
                "without hybrid"
            )
        if not self.texts:
            raise QueryError("there are no words to look for in captions: search without hybrid")
        return [term.text or "" for term in self.texts]

    @property
    def all_words(self) -> bool:
        """Whether every part of the query is a text."""
        return all(term.text is not None for term in self.terms)

    @property
    def _wanted(self) -> Term:
        words = (term for term in self.terms if term.text is not None and term.weight > 0)
        return next(words, Term())

    def __str__(self) -> str:
        """All parts, as messages show them: ``“red car” + 0.5 “at night” − “snow”``."""
        first, *others = self.terms
        signed = [f" {'−' if term.weight < 0 else '+'} {term}" for term in others]
        return f"{'−' if first.weight < 0 else ''}{first}{''.join(signed)}"


def language_warning(language: str, trained_on: Sequence[str]) -> str | None:
    """A sentence where a model was trained on known languages and this is none of them."""
    primaries = {primary_language(tag) for tag in trained_on}
    if not primaries or language == NOT_GIVEN or primary_language(language) in primaries:
        return None
    return f"the model was not trained on {language}, but on {', '.join(trained_on)}"
