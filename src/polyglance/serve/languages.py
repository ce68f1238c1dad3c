"""Names of languages, each in itself, for people who look for their own."""

from __future__ import annotations

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
