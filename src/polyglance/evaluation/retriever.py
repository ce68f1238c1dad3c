"""A model against a manifest: encode everything once, then measure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from polyglance.errors import ConfigError
from polyglance.evaluation.caveats import caveats
from polyglance.evaluation.encoded import compare
from polyglance.evaluation.encoding import (
    EncodedPictures,
    EncodedTexts,
    Encoder,
    chosen_languages,
    encode_captions,
    encode_parallel,
    encode_pictures,
)
from polyglance.evaluation.fusion import Fusion, with_translations
from polyglance.evaluation.protocol import Scored, Texts, evaluate_scores
from polyglance.evaluation.results import Gallery, Report
from polyglance.progress import track

if TYPE_CHECKING:
    from polyglance.data.feature_store import FeatureStore
    from polyglance.data.record import Record


def evaluate_retriever(
    retriever: Encoder,
    records: Sequence[Record],
    *,
    languages: Sequence[str] | None = None,
    gallery: Gallery = "all",
    folds: int = 1,
    batch_size: int = 32,
    draws: int = 1000,
    seed: int = 0,
    manifest: str = "",
    features: FeatureStore | None = None,
    fusion: Fusion | None = None,
    show_progress: bool = False,
) -> Report:
    """Measure how well a model finds these pictures by their captions, and the captions by them.

    Pictures that cannot be read are set aside with their captions and listed in the report.

    Args:
        retriever: the model.
        records: pictures and captions; ids are distinct.
        languages: tags to measure; ``None`` for every language that has a caption.
        gallery: ``all`` pictures, or only those ``captioned`` in the language.
        folds: consecutive parts to measure apart and average; 5 for the COCO-1K protocol.
        batch_size: pictures encoded at once.
        draws: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.
        manifest: told in the report.
        features: read in place of the pictures.
        fusion: of captions with their machine translations, for comparing with published numbers.
        show_progress: on standard error.

    Raises:
        ConfigError: a language has no captions, there are fewer pictures than folds, or a caption
            lacks the translation that it is to be fused with.
        PictureError: not one picture can be read.
    """
    chosen = chosen_languages(records, languages)
    pictures = encode_pictures(
        retriever,
        records,
        batch_size=batch_size,
        show_progress=show_progress,
        features=features,
    )
    captions = encode_captions(retriever, pictures.records, chosen, show_progress=show_progress)
    lost = [tag for tag in chosen if tag not in captions]
    if not captions:
        raise ConfigError(f"no picture with a caption in {', '.join(lost)} can be read")
    spoken = dict.fromkeys(tag for record in pictures.records for tag in record.parallel)
    wanted = [tag for tag in spoken if languages is None or tag in chosen]
    parallel = {}
    if retriever.system.is_inner_product:  # else texts cannot be compared with texts
        parallel = encode_parallel(retriever, pictures.records, wanted, show_progress=show_progress)
    scored = _compared(retriever, pictures, captions, show_progress)
    if fusion is not None:
        scored = with_translations(retriever, pictures, scored, fusion, show_progress=show_progress)
    report = evaluate_scores(
        [record.id for record in pictures.records],
        scored,
        parallel={
            tag: Texts(some.texts.embeddings, some.image_ids) for tag, some in parallel.items()
        },
        gallery=gallery,
        folds=folds,
        draws=draws,
        seed=seed,
    )
    warnings = caveats(
        pictures.records, languages=list(captions), known=retriever.languages, lost=lost
    )
    return replace(
        report,
        model=retriever.name,
        fingerprint=retriever.fingerprint,
        manifest=manifest,
        skipped=pictures.skipped,
        warnings=(*warnings, *([] if fusion is None else fusion.told())),
    )


def _compared(
    retriever: Encoder,
    pictures: EncodedPictures,
    captions: Mapping[str, EncodedTexts],
    show_progress: bool,
) -> dict[str, Scored]:
    """Tag → scores of all pairs; where each has to be compared anew, with progress."""
    texts = sum(len(some.image_ids) for some in captions.values())
    pairs = len(pictures.records) * texts
    show = show_progress and not retriever.system.is_inner_product
    if show:
        print(
            f"{retriever.name} compares every picture with every caption: {pairs:,} pairs; with "
            "--rerank it compares the best of another model",
            file=sys.stderr,
            flush=True,
        )
    with track("pairs", pairs, show=show) as advance:
        return {
            tag: Scored(
                compare(retriever.system, pictures.images, some.texts, advance=advance),
                some.image_ids,
            )
            for tag, some in captions.items()
        }
