"""Which feature stores a system can read instead of pictures."""

from __future__ import annotations

from pathlib import Path

from polyglance.data.described_store import DescribedStore
from polyglance.data.feature_store import FeatureStore
from polyglance.systems.base import System
from polyglance.vision.described_regions import RegionDescriber
from polyglance.vision.precomputed import PrecomputedBackbone


def precomputed_backbone(system: System) -> PrecomputedBackbone | None:
    """What stands for a backbone in a system that was trained on features from files."""
    backbone = system.parts().get("image.backbone")
    return backbone if isinstance(backbone, PrecomputedBackbone) else None


def region_describer(system: System) -> RegionDescriber | None:
    """What reads boxes, and perhaps class probabilities, beside the features; most have none."""
    described = (part for part in system.modules() if isinstance(part, RegionDescriber))
    return next(described, None)


def open_features(system: System, folder: Path) -> FeatureStore:
    """Open a store of features that a system can read.

    The features must be those of the system's own backbone. Where features from files stand for
    it, nobody can know the network behind a store: rows must have the right size, and the user
    answers for the rest. A system that describes regions gets the boxes beside the features, where
    there are any, and the class probabilities that it asks for.

    Raises:
        ModelError: no store is there, another model filled it, its rows are of another size, or it
            lacks the probabilities.
    """
    backbone = precomputed_backbone(system)
    if backbone is None:
        return FeatureStore(folder, fingerprint=system.backbone_fingerprint())
    describer = region_describer(system)
    if describer is None:
        store = FeatureStore(folder)
        backbone.check_row(store.shape, str(folder))
        return store
    described = DescribedStore(folder, classes=describer.classes)
    backbone.check_row(described.features_shape, str(folder))
    return described
