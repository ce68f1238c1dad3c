"""A manifest's pictures and texts through a model; pictures that cannot be read are set aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from polyglance.data.ahead import decoded_batches
from polyglance.data.language import primary_language
from polyglance.data.views import View, feature_key
from polyglance.errors import ConfigError, PictureError
from polyglance.evaluation.encoded import Encoded, Scorer
from polyglance.evaluation.results import Skipped
from polyglance.progress import track
from polyglance.text.batching import length_sorted_batches

if TYPE_CHECKING:
    from polyglance.data.feature_store import FeatureStore
    from polyglance.data.record import Record
    from polyglance.features import Features
    from polyglance.vision.preprocessing import Preprocessing

TEXTS_AT_ONCE = 512


class Encoder(Protocol):
    """A model that can be evaluated; :class:`polyglance.Retriever` is one."""

    name: str
    fingerprint: str
    dimension: int
    languages: tuple[str, ...]
    preprocessing: Preprocessing

    @property
    def system(self) -> Scorer:
        """Who compares what this encodes."""

    def pixel_features(self, pixels: NDArray[Any]) -> Features:
        """(n, 3, size, size) uint8, or backbone features → features of n pictures or videos."""

    def text_features(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> Features:
        """(n) texts → features of n texts."""


class EncodedPictures(NamedTuple):
    """Pictures that could be read, and those that could not.

    Attributes:
        images: (readable,) encoded.
        records: (readable,) theirs, in the order of the manifest.
        skipped: the others, with reasons.
    """

    images: Encoded
    records: list[Record]
    skipped: tuple[Skipped, ...]


class EncodedTexts(NamedTuple):
    """Texts of one language.

    Attributes:
        texts: (texts,) encoded.
        image_ids: (texts,) the picture that each describes.
    """

    texts: Encoded
    image_ids: list[str]


def encode_pictures(
    encoder: Encoder,
    records: Sequence[Record],
    *,
    batch_size: int,
    show_progress: bool,
    features: FeatureStore | None = None,
) -> EncodedPictures:
    """Decode in threads, one batch ahead of the encoder; or read stored features instead.

    Raises:
        PictureError: not one picture can be read.
    """
    kept: list[Record] = []
    skipped: list[Skipped] = []
    images = Encoded(encoder.system)
    with track("pictures", len(records), show=show_progress) as advance:
        batches = (
            decoded_batches(
                records,
                lambda record: View(record).decode(encoder.preprocessing),
                batch_size=batch_size,
            )
            if features is None
            else _stored_batches(records, features, batch_size)
        )
        for batch in batches:
            pixels = []
            for row, outcome in batch:
                record = records[row]
                if isinstance(outcome, PictureError):
                    path = str(record.file or record.id)
                    skipped.append(Skipped(path, str(outcome).removeprefix(f"{path}: ")))
                else:
                    kept.append(record)
                    pixels.append(outcome)
            if pixels:
                images.add(encoder.pixel_features(np.stack(pixels)))
            advance(len(batch))
    if not kept:
        first = f"; {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        if features is None and any(record.features is not None for record in records):
            first += "; the manifest names rows of a feature store: say which with --features"
        raise PictureError(f"none of {len(records)} pictures can be read{first}")
    return EncodedPictures(images, kept, tuple(skipped))


def _stored_batches(
    records: Sequence[Record], store: FeatureStore, batch_size: int
) -> Iterator[list[tuple[int, NDArray[Any] | PictureError]]]:
    """Rows of a store, as decoded pictures come: by number of the record, or why there is none."""
    for start in range(0, len(records), batch_size):
        batch: list[tuple[int, NDArray[Any] | PictureError]] = []
        for row, record in enumerate(records[start : start + batch_size], start):
            place = store.place(feature_key(record))
            missing = PictureError(f"no features of it are in {store.folder}")
            batch.append((row, missing if place is None else store.take([place])[0]))
        yield batch


def encode_captions(
    encoder: Encoder, records: Sequence[Record], languages: Sequence[str], *, show_progress: bool
) -> dict[str, EncodedTexts]:
    """Tag → all captions in that language; languages without any are left out."""
    return _encode(
        encoder,
        {
            tag: [(record.id, text) for record in records for text in record.captions.get(tag, ())]
            for tag in languages
        },
        what="captions",
        show_progress=show_progress,
    )


def encode_parallel(
    encoder: Encoder, records: Sequence[Record], languages: Sequence[str], *, show_progress: bool
) -> dict[str, EncodedTexts]:
    """Tag → the sentences of ``parallel`` in that language; languages without any are left out."""
    return _encode(
        encoder,
        {
            tag: [(record.id, record.parallel[tag]) for record in records if tag in record.parallel]
            for tag in languages
        },
        what="translations",
        show_progress=show_progress,
    )


def encode_translated(
    encoder: Encoder, records: Sequence[Record], language: str, tag: str, *, show_progress: bool
) -> EncodedTexts:
    """What machines made of all captions in a language, in the order of :func:`encode_captions`.

    Args:
        encoder: the model.
        records: with captions in the language.
        language: of the captions.
        tag: under ``machine_translated``, such as ``en-x-opus``.
        show_progress: on standard error.

    Raises:
        ConfigError: a caption has no such translation.
    """
    for record in records:
        captions, translations = record.captions.get(language, ()), _translations(record, tag)
        if len(captions) != len(translations) and captions:
            raise ConfigError(
                f"picture {record.id!r} has {len(captions)} captions in {language!r} and "
                f"{len(translations)} translations {tag!r} of them; add them with `polyglance data "
                f"translate --source {language} --as {tag}`"
            )
    described = [
        (record.id, text)
        for record in records
        if record.captions.get(language)
        for text in _translations(record, tag)
    ]
    encoded = _encode(
        encoder,
        {primary_language(tag): described},
        what="translations",
        show_progress=show_progress,
    )
    return encoded[primary_language(tag)]


def _translations(record: Record, tag: str) -> Sequence[str]:
    return record.machine_translated.get(tag, ())


def chosen_languages(records: Sequence[Record], wanted: Sequence[str] | None) -> list[str]:
    """The languages to measure, those asked for or all that the manifest has captions in.

    Raises:
        ConfigError: a language that was asked for has no captions, or there are none at all.
    """
    present = list(
        dict.fromkeys(tag for record in records for tag, texts in record.captions.items() if texts)
    )
    if not present:
        raise ConfigError("the manifest has no captions, so there is nothing to evaluate")
    for tag in wanted or ():
        if tag not in present:
            raise ConfigError(
                f"no captions in language {tag!r}; the manifest has {', '.join(present)}"
            )
    return list(dict.fromkeys(wanted)) if wanted else present


def _encode(
    encoder: Encoder,
    described: Mapping[str, Sequence[tuple[str, str]]],
    *,
    what: str,
    show_progress: bool,
) -> dict[str, EncodedTexts]:
    encoded: dict[str, EncodedTexts] = {}
    with track(what, sum(map(len, described.values())), show=show_progress) as advance:
        for tag, pairs in described.items():
            captions = [text for _, text in pairs]
            texts = Encoded(encoder.system)
            for rows in length_sorted_batches(captions, batch_size=TEXTS_AT_ONCE):
                some = [captions[row] for row in rows]
                texts.add(encoder.text_features(some, language=tag), rows)
                advance(len(rows))
            if pairs:
                encoded[tag] = EncodedTexts(texts, [image_id for image_id, _ in pairs])
    return encoded
