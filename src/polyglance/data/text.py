"""What texts are here: by language, and in one form of Unicode."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType

Texts = Mapping[str, Sequence[str]]
"""BCP-47 tag → texts in that language."""

NO_TEXTS: Texts = MappingProxyType({})


def normalise_text(text: str) -> str:
    """Bring a caption or a query into Unicode normalisation form C (Unicode Annex #15).

    A letter with an accent may be one code point or two; both look the same and must reach a
    tokenizer as the same string. Compatibility forms (NFKC) are not folded: full-width digits and
    ligatures are told apart by some tokenizers and folded by the others themselves.

    Args:
        text: any string.

    Returns:
        The same text in NFC. Normalising twice changes nothing.
    """
    if text.isascii():  # most English captions: nothing to compose
        return text
    return unicodedata.normalize("NFC", text)
