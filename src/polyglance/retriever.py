"""The public face: load a model, encode pictures and texts, compare, rank."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polyglance.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.systems.base import System
    from polyglance.systems.checkpoint import Checkpoint
    from polyglance.vision.preprocessing import Preprocessing

    Embeddings = NDArray[np.float32]
    Picture = str | Path | Image.Image

BUILT_IN = Path(__file__).resolve().parent / "models"


class Hit(NamedTuple):
    """One result of :meth:`Retriever.rank`: a candidate's row, and its score."""

    row: int
    score: float


class Retriever:
    """A trained system, ready to find pictures by texts and texts by pictures.

    Example:
        >>> retriever = Retriever.load("mini")
        >>> pictures = retriever.encode_images(["beach.jpg", "cat.jpg"])
        >>> query = retriever.encode_texts(["eine schlafende Katze"], language="de")
        >>> retriever.similarity(query, pictures)  # (1, 2), cosines

    Attributes:
        name: of a built-in model, or the absolute path of a checkpoint, so that a collection
            finds its model from any folder.
        fingerprint: hex digest; a collection refuses another one.
        languages: BCP-47 tags of the languages that it was trained on.
        dimension: of its embeddings.
        preprocessing: from a decoded picture to pixels.
    """

    def __init__(
        self, system: System, *, name: str, fingerprint: str, languages: Sequence[str] = ()
    ) -> None:
        self.system = system.eval()
        self.name = name
        self.fingerprint = fingerprint
        self.languages = tuple(languages)
        self.dimension = system.dimension
        self.preprocessing: Preprocessing = system.preprocessing

    @classmethod
    def load(cls, path_or_name: str | Path) -> Retriever:
        """Load a built-in model by name, or a checkpoint by its folder. Never uses the network.

        Raises:
            ModelError: there is no such model, or its checkpoint is damaged.
            WeightsError: a pretrained tower that it needs has not been fetched yet.
        """
        from polyglance.systems.checkpoint import load_checkpoint
        from polyglance.vision.inference import freeze

        folder = locate(path_or_name)
        loaded: Checkpoint = load_checkpoint(folder)
        if backbone := loaded.system.parts().get("image.backbone"):
            freeze(backbone)
        return cls(
            loaded.system,
            name=name_of(folder),
            fingerprint=loaded.fingerprint,
            languages=loaded.languages,
        )

    def encode_images(
        self, images: Sequence[Picture], *, batch_size: int = 32, show_progress: bool = False
    ) -> Embeddings:
        """Pictures, by path or as PIL images → (images, dimension) float32, unit rows.

        Raises:
            PictureError: a picture cannot be read; the message names it.
        """
        from polyglance.data.ahead import ordered_ahead
        from polyglance.progress import track

        embeddings = np.empty((len(images), self.dimension), dtype=np.float32)
        decoded = ordered_ahead(self._pixels, images, workers=2, ahead=2 * batch_size)
        with track("pictures", len(images), show=show_progress) as advance:
            for start in range(0, len(images), batch_size):
                batch = list(islice(decoded, batch_size))
                embeddings[start : start + len(batch)] = self.encode_pixels(np.stack(batch))
                advance(len(batch))
        return embeddings

    def encode_pixels(self, pixels: NDArray[Any]) -> Embeddings:
        """Encode what has been read already.

        Args:
            pixels: (images, 3, size, size) uint8, as ``preprocessing`` makes it; or floating point
                features of the model's own backbone, such as rows of a feature store.

        Returns:
            (images, dimension) float32, unit rows.
        """
        import torch

        with torch.inference_mode():
            embedding = self.system.encode_images(torch.from_numpy(pixels)).embedding
        return embedding.float().numpy()

    def encode_texts(
        self,
        texts: Sequence[str],
        *,
        language: str | Sequence[str] | None = None,
        batch_size: int = 128,
    ) -> Embeddings:
        """Texts → (texts, dimension) float32, unit rows.

        Args:
            texts: in any language of the model's.
            language: one BCP-47 tag for all, one for each, or ``None`` where it is not known.
            batch_size: texts encoded at once.

        Raises:
            ValueError: ``language`` has another length than ``texts``.
        """
        import torch

        from polyglance.data.text import normalise_text
        from polyglance.text.batching import length_sorted_batches

        tags = _one_each(language, len(texts))
        normalised = [normalise_text(text) for text in texts]
        embeddings = np.empty((len(texts), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for rows in length_sorted_batches(normalised, batch_size=batch_size):
                inputs = self.system.prepare_texts(
                    [normalised[row] for row in rows], [tags[row] for row in rows]
                )
                embeddings[rows] = self.system.encode_texts(inputs).embedding.float().numpy()
        return embeddings

    def similarity(self, a: Embeddings, b: Embeddings) -> Embeddings:
        """(n, dimension) and (m, dimension) → (n, m) cosines."""
        return a @ b.T

    def rank(self, query: Embeddings, candidates: Embeddings, *, top: int = 10) -> list[Hit]:
        """The ``top`` candidates for one query, (dimension,) or (1, dimension), best first."""
        scores = (candidates @ query.reshape(-1)).astype(np.float32)  # (candidates,)
        best = np.argsort(-scores, kind="stable")[:top]
        return [Hit(int(row), float(scores[row])) for row in best]

    def _pixels(self, image: Picture) -> NDArray[np.uint8]:
        """One picture → (3, size, size)."""
        from polyglance.data.ahead import decode

        if isinstance(image, str | Path):
            return decode(Path(image), self.preprocessing)
        return self.preprocessing(image.convert("RGB"))

    def save(self, path: str | Path) -> None:
        """Write the model as a checkpoint folder."""
        from polyglance.systems.checkpoint import save_system

        self.fingerprint = save_system(self.system, Path(path), languages=self.languages)


def locate(path_or_name: str | Path) -> Path:
    """The folder of a built-in model or of a checkpoint.

    Raises:
        ModelError: neither exists; the message lists the built-in names.
    """
    folder = Path(path_or_name)
    if folder.is_dir():
        return folder
    names = built_in_models()
    if str(path_or_name) in names:
        return BUILT_IN / str(path_or_name)
    raise ModelError(
        f"no model {str(path_or_name)!r}: it is neither a checkpoint's folder nor a built-in "
        f"model ({', '.join(names)})"
    )


def name_of(folder: Path) -> str:
    """What a model in ``folder`` is called from anywhere: a built-in name, or the absolute path."""
    absolute = folder.resolve()
    return absolute.name if absolute.parent == BUILT_IN else str(absolute)


def built_in_models() -> list[str]:
    """Names of the models that the package carries."""
    return sorted(folder.parent.name for folder in BUILT_IN.glob("*/config.json"))


def _one_each(language: str | Sequence[str] | None, texts: int) -> list[str]:
    if language is None or isinstance(language, str):
        return [language or "und"] * texts
    if len(language) != texts:
        raise ValueError(f"{texts} texts but {len(language)} languages")
    return list(language)
