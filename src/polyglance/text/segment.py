"""From a text in any script to its words.

The rule, after Unicode compatibility folding (NFKC: full-width digits, ligatures) and lower case:

- white space separates; a punctuation mark stands alone (``l'homme`` → ``l ' homme``);
- Han, hiragana, Thai, Lao, Khmer and Burmese, which are written without spaces, go by character,
  with the marks that belong to it; a run of katakana, a borrowed word or a name, stays whole;
- an emoji stands alone, whole with its skin tone and its zero-width joiners; so does a flag.

Characters and not the words of a dictionary: Li et al., "Is word segmentation necessary for deep
learning of Chinese representations?" (ACL 2019), find them no worse and mostly better, since words
are sparser and segmenters err; a recurrent unit joins them again. And nothing depends on which
version of which dictionary is installed.

Deviation from the published codes, which call the tokenizer of NLTK: in-word hyphens and
apostrophes separate here.
"""

from __future__ import annotations

import unicodedata

from tokenizers import Regex, pre_tokenizers

from polyglance.data.language import primary_language
from polyglance.text.romanise import romanise

PAD, START, END = MARKS = ("<pad>", "<start>", "<end>")  # words of their own; no text has them

_MARKS = r"[\p{M}\x{1F3FB}-\x{1F3FF}\x{E0020}-\x{E007F}]*"  # accents, skin tones, flag letters
_FLAG = r"[\x{1F1E6}-\x{1F1FF}]{2}"
EMOJI = rf"{_FLAG}|\p{{So}}{_MARKS}(?:\x{{200D}}\p{{So}}{_MARKS})*"
_KATAKANA = r"[\p{Katakana}ー]+"
_SPACELESS = r"[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
_DOTLESS = {"tr", "az"}  # Turkish and Azerbaijani: I and ı, İ and i


class Segmenter:
    """Cuts texts into words; the same text always gives the same words. Thread-safe.

    Args:
        romanise: write each word in Latin letters, for the transliterated setting of Wehrmann et
            al. (2019, section 3.1); see :mod:`polyglance.text.romanise`. Words are found first.

    Raises:
        ConfigError: ``romanise`` is asked for, and the library that does it is not installed.
    """

    def __init__(self, *, romanise: bool = False) -> None:
        self.romanise = romanise
        if romanise:
            self.words("ж")  # a missing library is told now and not in the middle of a run

    def words(self, text: str, language: str = "und") -> list[str]:
        """The words of a text, in order; none of them is one of :data:`MARKS`.

        Args:
            text: any string; lone surrogates become question marks.
            language: BCP-47 tag. Scripts and not tags say where words end, so that it matters only
                to lower case, and only where I is not the capital of i.
        """
        folded = _lower(unicodedata.normalize("NFKC", _valid(text)), language)
        words = [word for word, _ in _SPLIT.pre_tokenize_str(folded)]
        if self.romanise:
            words = [romanise(word) for word in words]
        return words


_SPLIT = pre_tokenizers.Sequence(
    [
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Split(Regex(f"{_KATAKANA}|{_SPACELESS}|{EMOJI}"), "isolated"),
        pre_tokenizers.Punctuation(),
    ]
)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, in characters, by the rule above."""
    return [span for _, span in _SPLIT.pre_tokenize_str(text)]


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _lower(text: str, language: str) -> str:
    if primary_language(language) in _DOTLESS:
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()
