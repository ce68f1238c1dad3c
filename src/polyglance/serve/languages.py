"""Names of languages, each in itself, for people who look for their own."""

from __future__ import annotations

import unicodedata

from babel import Locale, UnknownLocaleError

from polyglance.data.language import primary_language

NATIVE_NAMES = {
    "ar": "العربية",
    "bn": "বাংলা",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "no": "Norsk",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sv": "Svenska",
    "sw": "Kiswahili",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


def native_name(tag: str) -> str:
    """``de`` → ``Deutsch``; ``pt-BR`` → ``Português (pt-BR)``; an unlisted tag → itself."""
    name = NATIVE_NAMES.get(primary_language(tag))
    if name is None:
        return tag
    return name if tag in NATIVE_NAMES else f"{name} ({tag})"


def direction(text: str, tag: str) -> str:
    """How a text runs, ``ltr`` or ``rtl``; empty where neither its language nor it tells.

    Args:
        text: the first of its characters with a direction decides, as ``dir="auto"`` does.
        tag: BCP-47 tag of its language, which decides before them; or empty, or ``und``.
    """
    try:
        return Locale.parse(primary_language(tag)).text_direction if tag else _first_strong(text)
    except (UnknownLocaleError, ValueError):
        return _first_strong(text)


def _first_strong(text: str) -> str:
    ways = {"L": "ltr", "R": "rtl", "AL": "rtl"}
    found = (ways.get(unicodedata.bidirectional(character)) for character in text)
    return next((way for way in found if way), "")
