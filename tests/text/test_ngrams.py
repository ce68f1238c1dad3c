import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from polyglance.text.ngrams import MOST, PADDING, hash_ngrams, ngrams, pad, words


def test_words_are_lower_case_runs_of_letters_digits_and_marks() -> None:
    assert words("Zwei Hunde, 2 Katzen!") == ["zwei", "hunde", "2", "katzen"]
    assert words("ปลาวาฬ") == ["ปลาวาฬ"]  # vowel signs are marks and stay inside the word
    assert words("…!?") == []


def test_ngrams_of_a_latin_word_are_three_to_five_long_and_bounded() -> None:
    assert list(ngrams("pes")) == ["=pes", "<pe", "pes", "es>", "<pes", "pes>", "<pes>"]


def test_dense_scripts_give_single_characters() -> None:
    found = list(ngrams("狗"))
    assert found == ["=狗", "<", "狗", ">", "<狗", "狗>", "<狗>"]


def test_a_short_text_is_also_one_feature() -> None:
    assert next(iter(ngrams("Hot  DOG"))) == "#hot dog"
    assert not any(gram.startswith("#") for gram in ngrams("one two three four five"))


@given(st.text(max_size=80))
def test_buckets_lie_in_range_and_composition_does_not_matter(text: str) -> None:
    hashed = hash_ngrams(text, buckets=97)
    assert all(PADDING < bucket < 97 for bucket in hashed)
    assert len(hashed) <= MOST
    assert hash_ngrams(unicodedata.normalize("NFD", text), buckets=97) == hash_ngrams(
        unicodedata.normalize("NFC", text), buckets=97
    )


def test_padding_fills_up_and_leaves_at_least_one_column() -> None:
    assert pad([[3, 4], [], [5]]).tolist() == [[3, 4], [0, 0], [5, 0]]
    assert pad([[]]).tolist() == [[0]]
