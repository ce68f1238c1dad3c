"""Language tags, checked lightly and kept as they are given.

A tag is BCP-47 in shape (RFC 5646, section 2.1): a primary subtag of two or three letters, then
subtags of one to eight letters or digits, with hyphens. Nothing is looked up in the registry, so
the name of a translation engine may ride along as a private (``zh-x-google``) or plain
(``zh-baidu``) suffix. Primary subtags of four letters or more are refused although RFC 5646
reserves them: in practice they are names such as ``english``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*|x(-[A-Za-z0-9]{1,8})+")


def is_language_tag(tag: str) -> bool:
    """Tell whether ``tag`` has the shape of a BCP-47 tag, such as ``no`` or ``zh-Hant``."""
    return _TAG.fullmatch(tag) is not None


def primary_language(tag: str) -> str:
    """Return the language of a tag without script, region or engine: ``zh-baidu`` → ``zh``."""
    return tag.partition("-")[0].lower()


_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "km", "my"})


def writes_spaces(tag: str) -> bool:
    """Tell whether a language puts spaces between its words: ``zh-Hant`` does not."""
    return primary_language(tag) not in _WITHOUT_SPACES


_ENGINES = ("baidu", "google")  # as published sets spell them, without the private -x-


def is_machine_translated(tag: str) -> bool:
    """Tell whether a tag names a translation engine: ``zh-baidu``, ``de-x-mt-en``."""
    subtags = tag.split("-")
    return "x" in subtags[1:] or subtags[-1] in _ENGINES


def one_language_each(language: str | Sequence[str] | None, texts: int) -> list[str]:
    """The tag of each of so many texts, from one for all, one for each, or none that is known.

    Raises:
        ValueError: there are tags for another number of texts.
    """
    if language is None or isinstance(language, str):
        return [language or "und"] * texts
    if len(language) != texts:
        raise ValueError(f"{texts} texts but {len(language)} languages")
    return list(language)
