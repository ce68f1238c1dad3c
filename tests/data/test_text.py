"""Unicode normalisation."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from polyglance.data.text import normalise_text


def test_composed_and_decomposed_letters_become_the_same_string() -> None:
    for word in ("Mädchen", "děvče", "garçon", "が", "한국", "điện"):
        assert normalise_text(unicodedata.normalize("NFD", word)) == word
        assert normalise_text(word) == word


def test_compatibility_forms_and_joined_emoji_are_kept() -> None:
    for text in ("１２３", "ﬁ", "👩‍👩‍👧", "م", "👍🏽"):
        assert normalise_text(text) == text


@settings(deadline=None)
@given(st.text())
def test_normalising_is_idempotent_and_equals_the_standard(text: str) -> None:
    once = normalise_text(text)
    assert once == unicodedata.normalize("NFC", text)
    assert normalise_text(once) == once
