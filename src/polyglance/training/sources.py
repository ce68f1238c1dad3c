"""Where the pictures of a run come from: decoded anew, or features of a frozen backbone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyglance.data.dataset import FeatureSource, PictureSource, PixelSource
from polyglance.data.feature_building import build_feature_store
from polyglance.errors import ConfigError
from polyglance.systems.stored_features import open_features, precomputed_backbone

if TYPE_CHECKING:
    from polyglance.data.record import Record
    from polyglance.systems.base import System
    from polyglance.training.loop import Split

SKIPPED_TOLD = 5


def feature_cache() -> Path:
    """Where feature stores live unless a recipe says otherwise, one folder a backbone."""
    from polyglance.weights.cache import cache_folder

    return cache_folder() / "features"


class RunSources:
    """Pictures for training and validation, by whether the backbone is frozen.

    With a frozen backbone its features are computed once and read from a store; the store is
    found again by the backbone's fingerprint, so that later runs start at once. Where a
    :class:`~polyglance.vision.precomputed.PrecomputedBackbone` stands for one, the features come
    from a store that is there already, and from nothing else.

    Args:
        system: whose backbone and preprocessing count.
        records: split → pictures.
        features: folder of the stores, or the store of precomputed features.
        cache_features: whether to use stores at all.
        workers: decoding threads.
        views: of each training picture, which epochs show in turn; held-back pictures have one.
        show_progress: on standard error.
    """

    def __init__(
        self,
        system: System,
        *,
        records: Mapping[Split, Sequence[Record]],
        features: Path,
        cache_features: bool = True,
        workers: int = 2,
        views: int = 1,
        show_progress: bool = True,
    ) -> None:
        self._system, self._records = system, records
        self._features, self._cache_features = features, cache_features
        self._workers, self._show_progress = workers, show_progress
        self._views: dict[Split, int] = {"train": views, "validation": 1}
        self._stored: dict[tuple[Split, str], FeatureSource] = {}
        self._pixels = {
            split: PixelSource(
                some,
                preprocessing=system.preprocessing,
                workers=workers,
                views=self._views[split],
            )
            for split, some in records.items()
        }

    def __call__(self, split: Split, backbone_is_frozen: bool) -> PictureSource:
        """The source for a phase.

        Raises:
            ConfigError: the pictures have no precomputed features, and the system cannot do
                without.
            ModelError: a store is another model's, or its rows are of another size.
        """
        if precomputed_backbone(self._system) is not None:
            return self._precomputed(split)
        if not (backbone_is_frozen and self._cache_features):
            return self._pixels[split]
        key = split, self._system.backbone_fingerprint()
        if key not in self._stored:
            self._stored[key] = self._from_store(split, key[1])
        return self._stored[key]

    def tell_skipped(self) -> None:
        """Name the pictures that could not be decoded so far."""
        for source in self._pixels.values():
            tell_skipped(source.skipped)

    def _precomputed(self, split: Split) -> FeatureSource:
        folder, records = self._features, self._records[split]
        if self._views["train"] > 1:
            raise ConfigError("data.views: features from files show one view; remove the key")
        if not (folder / "meta.json").is_file():
            raise ConfigError(
                f"data.features: {folder} is no feature store; a model on precomputed features "
                "needs the store that `polyglance data prepare precomp` wrote"
            )
        store = open_features(self._system, folder)
        without = [r.id for r in records if r.features is None or r.features not in store]
        if without:
            raise ConfigError(
                f"{len(without)} of {len(records)} pictures for {split} have no row in "
                f"{store.folder}, such as {without[0]!r}; manifest and store must come from one "
                "`polyglance data prepare`"
            )
        return FeatureSource(records, store=store)

    def _from_store(self, split: Split, fingerprint: str) -> FeatureSource:
        was_training = self._system.training
        self._system.eval()
        store, report = build_feature_store(
            self._records[split],
            encode=lambda pixels: self._system.backbone_features(pixels.to(self._system.device)),
            preprocessing=self._system.preprocessing,
            fingerprint=fingerprint,
            folder=self._features / fingerprint[:16],
            workers=self._workers,
            views=self._views[split],
            show_progress=self._show_progress,
        )
        self._system.train(was_training)
        tell_skipped(report.skipped)
        return FeatureSource(self._records[split], store=store, views=self._views[split])


def tell_skipped(skipped: Mapping[str, str]) -> None:
    """Count pictures that could not be read, and give the reasons of the first few."""
    if skipped:
        print(f"skipped {len(skipped)} pictures that cannot be read:", file=sys.stderr)
        for name, reason in list(skipped.items())[:SKIPPED_TOLD]:
            print(f"  {name}: {reason}", file=sys.stderr)
