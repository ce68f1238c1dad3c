"""What searching asks of a model, and any model that answers: with torch, or without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.vision.heat_map import HeatMap
    from polyglance.vision.preprocessing import Preprocessing


class Model(Protocol):
    """Who made the embeddings of a collection."""

    name: str
    fingerprint: str
    dimension: int


class Encoder(Model, Protocol):
    """A model that puts pictures and texts into one space."""

    languages: tuple[str, ...]

    @property
    def preprocessing(self) -> Preprocessing:
        """From a decoded picture to pixels."""

    @property
    def localises(self) -> bool:
        """Whether :meth:`explain` works."""

    def explain(self, image: Image.Image, text: str, *, language: str | None = None) -> HeatMap:
        """Where in a picture a text is."""

    def require_embeddings(self) -> None:
        """Raise a ModelError where scores are no inner products, so that vectors are no use."""

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 3, size, size) uint8 → (n, dimension), unit rows; several threads call it at once."""

    def encode_texts(
        self, texts: Sequence[str], *, language: str | Sequence[str] | None = None
    ) -> NDArray[np.float32]:
        """(n) texts → (n, dimension), unit rows."""


def load_encoder(path_or_name: str | Path, *, pictures: bool = True) -> Encoder:
    """An export by its folder, and any other model as :meth:`polyglance.Retriever.load` does it.

    Args:
        path_or_name: see there.
        pictures: whether there will be pictures to encode. If not, ``mini`` is ready without its
            image side and without torch; it still takes pictures, and the first loads it whole.

    Raises:
        ModelError: there is no such model, or it is damaged.
        WeightsError: a pretrained tower that it needs has not been fetched yet.
    """
    from polyglance.onnx.description import is_export

    if is_export(Path(path_or_name)):
        from polyglance.onnx.encoder import OnnxEncoder

        return OnnxEncoder(Path(path_or_name))
    if not pictures:
        from polyglance.search.mini_encoder import MiniEncoder, is_mini
        from polyglance.systems.locate import find

        if (folder := find(path_or_name)) and is_mini(folder):
            return MiniEncoder(folder, path_or_name)
    from polyglance.retriever import Retriever

    return Retriever.load(path_or_name)
