"""What the steps of the recipe hand to one another: files in one working folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polyglance.systems.builders import build_mini_heads
from polyglance.systems.config import MiniConfig

LANGUAGES = (
    *("ar", "zh", "en", "fr", "de", "it", "ja", "ko", "nl", "pl", "pt", "es", "th", "tr"),
    *("ru", "cs", "hi"),
)  # all that the recipe teaches
CAPTIONED = ("en", "de", "fr", "zh", "pt", "ar", "cs")  # those that Flickr8k has captions in


def folder_of(variable: str) -> Path:
    """The folder that an environment variable names.

    Raises:
        SystemExit: it is not set, or there is no such folder.
    """
    path = Path(os.environ.get(variable, ""))
    if not os.environ.get(variable) or not path.is_dir():
        raise SystemExit(f"{variable} must name the folder with the data; it is {str(path)!r}")
    return path


@dataclass(frozen=True, slots=True)
class Texts:
    """Every text of the recipe, embedded by the frozen encoder and split into n-grams.

    Attributes:
        row: text → its row.
        sentences: (texts, 512) unit rows.
        buckets: all texts' n-grams, one after the other.
        offsets: (texts + 1,) where each text's begin.
    """

    row: dict[str, int]
    sentences: Tensor
    buckets: Tensor
    offsets: Tensor

    @classmethod
    def load(cls, work: Path, device: torch.device) -> Texts:
        """Read what ``features.py`` wrote."""
        texts = json.loads((work / "texts.json").read_text())
        arrays = np.load(work / "texts.npz")
        return cls(
            {text: index for index, text in enumerate(texts)},
            torch.nn.functional.normalize(
                torch.from_numpy(arrays["sentences"]).to(device).float(), dim=1
            ),
            torch.from_numpy(arrays["buckets"]).to(device).long(),
            torch.from_numpy(arrays["offsets"]).to(device),
        )

    def rows(self, texts: Sequence[str]) -> list[int]:
        """The rows of texts, which must be among those embedded."""
        from polyglance.data.text import normalise_text

        return [self.row[normalise_text(text)] for text in texts]

    def ngrams(self, rows: Tensor) -> Tensor:
        """(rows,) → (rows, longest) buckets, padded with 0."""
        start, stop = self.offsets[rows], self.offsets[rows + 1]
        length = stop - start
        longest = max(int(length.max()), 1)
        place = torch.arange(longest, device=rows.device)[None, :].expand(len(rows), -1)
        inside = place < length[:, None]
        index = (start[:, None] + place).clamp(max=len(self.buckets) - 1)
        return torch.where(inside, self.buckets[index], 0)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reduced grids and class logits of one split, several views a picture.

    Attributes:
        cells: (views, pictures, 49, components) half precision; view 0 is the picture as it is.
        logits: (views, pictures, classes).
        pooled: (pictures, channels), of view 0.
    """

    cells: Tensor
    logits: Tensor
    pooled: Tensor

    @classmethod
    def load(cls, work: Path, split: str, device: torch.device) -> Pictures:
        """Read what ``features.py`` wrote."""
        views = sorted(work.glob(f"pictures.{split}.*.npz"))
        arrays = [np.load(view) for view in views]

        def stacked(name: str) -> NDArray[np.float16]:
            return np.stack([array[name] for array in arrays])

        return cls(
            torch.from_numpy(stacked("cells")).to(device),
            torch.from_numpy(stacked("logits")).to(device).float(),
            torch.from_numpy(arrays[0]["pooled"]).to(device).float(),
        )


def pick_device() -> torch.device:
    """A GPU where there is one; the recipe is sized for two CPU cores."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Heads(nn.Module):
    """What ``mini`` learns, without the towers; named as in the system."""

    def __init__(
        self, config: MiniConfig, *, image_dropout: float = 0.0, sentence_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.image, self.text = build_mini_heads(config, sentence_dropout=sentence_dropout)
        for part in self.image.captions.modules():
            if isinstance(part, nn.Dropout):
                part.p = image_dropout
