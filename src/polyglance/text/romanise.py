"""Words of any script in Latin letters, for the transliterated setting of Wehrmann et al. (2019).

By AnyAscii (ISC licence), character by character and so without a dictionary: Greek, Cyrillic,
Arabic and kana by their usual romanisations, every Han character by its Mandarin reading. Deviation
from the paper, which romanised Japanese by its own readings: the libraries that do that bring
dictionaries under the GPL.
"""

from __future__ import annotations

from polyglance.errors import ConfigError


def romanise(word: str) -> str:
    """One word in lower-case ASCII; a word that has no such form stays as it is.

    Raises:
        ConfigError: AnyAscii is not installed.
    """
    if word.isascii():
        return word
    try:
        from anyascii import anyascii
    except ImportError:
        raise ConfigError(
            "writing texts in Latin letters (romanise) needs AnyAscii; install it with "
            "`pip install 'polyglance[romanise]'`"
        ) from None
    latin = "".join(anyascii(word).lower().split())
    return latin or word
