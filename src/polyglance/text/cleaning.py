"""What is done to a text before a tokenizer of transformers gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from polyglance.data.text import normalise_text

Cleaning = Literal["nothing", "lower", "strip", "strip and lower"]

_CLEANING: dict[Cleaning, Callable[[str], str]] = {
    "nothing": str,
    "lower": str.lower,
    "strip": str.strip,
    "strip and lower": lambda text: text.strip().lower(),
}


def clean(text: str, cleaning: Cleaning) -> str:
    """NFC, question marks for the lone surrogates that UTF-8 cannot hold, then as a model wants it.

    Args:
        text: of a caption or a query.
        cleaning: ``nothing``; ``lower`` case, as SigLIP 2 was trained; the others are what
            sentence-transformers does before the tokenizer.
    """
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return _CLEANING[cleaning](normalise_text(valid))
