"""One captioned picture, the unit that every reader yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """A picture (or video, or row of a feature store) and its captions.

    Attributes:
        id: unique within a dataset; texts and pictures with equal ids are positives.
        image: absolute path, or ``None`` where the record has a video or features instead.
        captions: BCP-47 tag → captions, NFC-normalised.
        machine_translated: BCP-47 tag (with the engine as a private suffix) → captions.
        parallel: BCP-47 tag → one sentence; the sentences are translations of one another.
        split: ``train``, ``val``, ``test`` or whatever the dataset calls its parts.
        video: absolute path of a video.
        features: name of a row of a feature store.
        extra: unknown keys of the manifest, kept.
    """

    id: str
    image: Path | None = None
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    machine_translated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parallel: Mapping[str, str] = field(default_factory=dict)
    split: str | None = None
    video: Path | None = None
    features: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> Path | None:
        """The picture, or else the video."""
        return self.image or self.video
