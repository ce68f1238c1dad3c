"""Machine translations of a dataset's captions, beside them or in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from polyglance.data.record import Record
from polyglance.errors import ConfigError, ManifestError

Translate = Callable[[list[str]], list[str]]
"""Texts → one translation each."""


def add_translations(
    records: Sequence[Record], translate: Translate, *, source: str, tag: str
) -> list[Record]:
    """Records with translations under ``machine_translated``, one for each text, in their order.

    Args:
        records: of a manifest.
        translate: into the language of ``tag``.
        source: whose texts are translated: a language of captions, or an engine under
            ``machine_translated``, for translating back.
        tag: under which the translations go; those that are there already are replaced.

    Raises:
        ManifestError: no record has texts in ``source``.
    """
    translated = _translated(records, translate, source)
    return [
        replace(record, machine_translated={**record.machine_translated, tag: texts})
        if texts
        else record
        for record, texts in zip(records, translated, strict=True)
    ]


def replace_captions(
    records: Sequence[Record], translate: Translate, *, source: str, target: str
) -> list[Record]:
    """Records whose only captions are translations of those that they had in one language.

    So a model that knows ``target`` alone is measured on queries of another language: the baseline
    that translates the test set.

    Args:
        records: of a manifest; those without captions in ``source`` have none afterwards, and stay
            in the gallery.
        translate: into ``target``.
        source: BCP-47 tag of the captions.
        target: BCP-47 tag of their translations.

    Raises:
        ManifestError: no record has captions in ``source``.
    """
    return [
        replace(
            record,
            captions={target: texts} if texts else {},
            machine_translated={},
            parallel={},
        )
        for record, texts in zip(records, _translated(records, translate, source), strict=True)
    ]


def machine_tag(target: str, source: str, model: str) -> str:
    """A tag for a model's translations, as in ``zh-x-opusmt``.

    Translations back carry the tag of what they were made from: ``en-x-zh-baidu``.

    Args:
        target: BCP-47 tag to translate into.
        source: of the texts.
        model: folder or hub name of the model.
    """
    if "-" in source:
        return f"{target}-x-{source.replace('-x-', '-')}"
    name = "".join(c for c in model.rstrip("/").rpartition("/")[2] if c.isascii() and c.isalnum())
    return f"{target}-x-{name[:8].lower() or 'mt'}"


def _translated(
    records: Sequence[Record], translate: Translate, source: str
) -> list[tuple[str, ...]]:
    """Each record's translations; a text that is translated to nothing stays as it is."""
    texts = [record.captions.get(source) or record.machine_translated.get(source, ())
             for record in records]  # fmt: skip
    flat = [text for some in texts for text in some]
    if not flat:
        known = sorted({tag for r in records for tag in (*r.captions, *r.machine_translated)})
        raise ManifestError(
            f"no picture has texts in {source!r}; there are: {', '.join(known) or 'none'}"
        )
    said = translate(flat)
    if len(said) != len(flat):
        raise ConfigError(f"{len(flat)} texts came back as {len(said)} translations")
    found = iter(new if new.strip() else old for old, new in zip(flat, said, strict=True))
    return [tuple([next(found) for _ in some]) for some in texts]
