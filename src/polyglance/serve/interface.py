"""The page's own words, numbers and dates in each language that it speaks.

Templates hold English. A catalogue a language, ``catalogues/de.po``, holds the translations in
gettext's format, which translators' tools read; it is compiled in memory when first asked for.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from polyglance.errors import PolyglanceError


def N_(message: str) -> str:  # noqa: N802 - the name by which gettext's tools find messages
    """Mark a message that is translated where it is used."""
    return message


# Said through variables: shapes and kinds of filters, places of heat maps, fields of errors.
NAMED = (
    *(N_("landscape"), N_("portrait"), N_("square"), N_("picture"), N_("video")),
    *(N_("top left"), N_("top"), N_("top right"), N_("left"), N_("centre"), N_("right")),
    *(N_("bottom left"), N_("bottom"), N_("bottom right")),
    *(N_("folder"), N_("since"), N_("until"), N_("caption")),
    N_("the picture's file is gone or unreadable"),
)

CATALOGUES = Path(__file__).parent / "catalogues"
WRITTEN_IN = "en"


class Interface:
    """The page in one language.

    Args:
        tag: BCP-47, one of :func:`spoken`.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.locale = Locale.parse(tag, sep="-")
        self.translations = _translations(tag)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return self.locale.text_direction

    def number(self, value: float) -> str:
        """``10,000``, or as it is written in the language."""
        return format_decimal(value, locale=self.locale)

    def score(self, value: float) -> str:
        """With two decimals."""
        return format_decimal(value, "0.00", locale=self.locale)

    def day(self, value: date) -> str:
        """``30 Jun 2024``, or as it is written in the language."""
        return format_date(value, "medium", locale=self.locale)

    def moment(self, value: datetime) -> str:
        """Day and time."""
        return format_datetime(value, "medium", locale=self.locale)

    def told(self, error: PolyglanceError) -> str:
        """What is wrong, as far as the catalogue has the sentence; else in English.

        Names of fields that the sentence carries are translated too.
        """
        gettext = self.translations.gettext
        values = {
            key: gettext(value) if key == "name" and isinstance(value, str) else value
            for key, value in error.values.items()
        }
        sentence = gettext(error.message)
        return sentence.format(**values) if values else sentence


@cache
def interface(tag: str) -> Interface:
    """The page in a language of :func:`spoken`."""
    return Interface(tag)


@cache
def spoken() -> tuple[str, ...]:
    """Tags of the languages that the page speaks: English, and those with a catalogue."""
    return (WRITTEN_IN, *sorted(file.stem for file in CATALOGUES.glob("*.po")))


def chosen(ui: str, accepted: str) -> Interface:
    """The interface that an address names, else the one that the browser likes best.

    Args:
        ui: a tag, or empty; one that the page does not speak counts as empty.
        accepted: the header ``Accept-Language`` (RFC 9110, section 12.5.4).
    """
    if ui in spoken():
        return interface(ui)
    liked = negotiate_locale(_by_preference(accepted), spoken(), sep="-")
    return interface(liked or WRITTEN_IN)


def _by_preference(accepted: str) -> list[str]:
    """``de;q=0.5, fr`` → ``[fr, de]``."""
    weighed = []
    for entry in accepted[:1000].split(","):
        tag, _, parameter = entry.strip().partition(";")
        quality = parameter.strip().removeprefix("q=")
        try:
            weighed.append((float(quality or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(weighed, key=lambda each: -each[0]) if quality > 0]


def _translations(tag: str) -> NullTranslations:
    if tag == WRITTEN_IN:
        return NullTranslations()
    compiled = BytesIO()
    with (CATALOGUES / f"{tag}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=tag, abort_invalid=True))
    compiled.seek(0)
    return GNUTranslations(compiled)
