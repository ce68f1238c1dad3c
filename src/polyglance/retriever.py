"""The public face: load a model, encode pictures and texts, compare, rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polyglance.errors import ModelError
from polyglance.systems.locate import find, locate, name_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from polyglance.features import Features
    from polyglance.systems.base import System
    from polyglance.systems.checkpoint import Checkpoint
    from polyglance.vision.heat_map import HeatMap
    from polyglance.vision.preprocessing import Preprocessing

    Embeddings = NDArray[np.float32]
    Picture = str | Path | Image.Image


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

    Some models, SCAN for one, compare the parts of a picture with the words of a text, pair by
    pair, and have no embeddings that could be searched: of those, :meth:`image_features` and
    :meth:`text_features` are compared by :meth:`score`, which works with every model.

    Attributes:
        name: of a built-in model or on the hub, or the absolute path of a folder, so that a
            collection finds its model from any folder.
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
    def load(cls, path_or_name: str | Path, *, rounded: bool = True) -> Retriever:
        """Load a built-in model by name, or a model by its folder. Never uses the network.

        Besides checkpoints, folders of CLIP, SigLIP and like models of transformers are understood,
        and their names on the hub where they were downloaded before. ``TEXT+IMAGE`` is a text tower
        of sentence-transformers beside the image side of such a model.

        Args:
            path_or_name: see above.
            rounded: let frozen backbones have bfloat16 where that is faster.

        Raises:
            ModelError: there is no such model, it is of no supported type, or it is damaged.
            WeightsError: a pretrained tower that it needs has not been fetched yet.
        """
        from polyglance.vision.inference import freeze

        loaded, name = _load(path_or_name)
        backbone = loaded.system.parts().get("image.backbone")
        if rounded and backbone is not None:
            freeze(backbone)
        return cls(
            loaded.system,
            name=name,
            fingerprint=loaded.fingerprint,
            languages=loaded.languages,
        )

    def encode_images(
        self, images: Sequence[Picture], *, batch_size: int = 32, show_progress: bool = False
    ) -> Embeddings:
        """Pictures, by path or as PIL images → (images, dimension) float32, unit rows.

        Raises:
            PictureError: a picture cannot be read; the message names it.
            ModelError: the model has no embeddings that could be compared.
        """
        self.require_embeddings()
        embeddings = np.empty((len(images), self.dimension), dtype=np.float32)
        at = 0
        for features in self._encoded_images(images, batch_size, show_progress):
            embeddings[at : at + len(features)] = features.embedding.float().numpy()
            at += len(features)
        return embeddings

    def image_features(
        self, images: Sequence[Picture], *, batch_size: int = 32, show_progress: bool = False
    ) -> Features:
        """Pictures, by path or as PIL images, with the parts that the model compares.

        Raises:
            PictureError: a picture cannot be read; the message names it.
            ValueError: there is no picture.
        """
        from polyglance.features import joined

        encoded = self._encoded_images(images, batch_size, show_progress)
        return joined([features.halved() for features in encoded])

    def encode_pixels(self, pixels: NDArray[Any]) -> Embeddings:
        """Encode what has been read already.

        Args:
            pixels: (images, 3, size, size) uint8, as ``preprocessing`` makes it; or floating point
                features of the model's own backbone, such as rows of a feature store.

        Returns:
            (images, dimension) float32, unit rows.

        Raises:
            ModelError: the model has no embeddings that could be compared.
        """
        self.require_embeddings()
        return self.pixel_features(pixels).embedding.float().numpy()

    def pixel_features(self, pixels: NDArray[Any]) -> Features:
        """As :meth:`encode_pixels`, with the parts that the model compares."""
        import torch

        with torch.inference_mode():
            return self.system.encode_images(torch.from_numpy(pixels))

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
            ModelError: the model has no embeddings that could be compared.
        """
        self.require_embeddings()
        embeddings = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows, features in self._encoded_texts(texts, language, batch_size):
            embeddings[rows] = features.embedding.float().numpy()
        return embeddings

    def text_features(
        self,
        texts: Sequence[str],
        *,
        language: str | Sequence[str] | None = None,
        batch_size: int = 128,
    ) -> Features:
        """Texts with the parts that the model compares; arguments as of :meth:`encode_texts`.

        Raises:
            ValueError: ``language`` has another length than ``texts``, or there is no text.
        """
        import torch

        from polyglance.features import joined

        places: list[int] = []
        parts: list[Features] = []
        for rows, features in self._encoded_texts(texts, language, batch_size):
            places += rows
            parts.append(features.halved())
        return joined(parts).rows(torch.tensor(places).argsort())

    def score(self, images: Features, texts: Features) -> NDArray[np.float32]:
        """(images, texts) scores by the model's own comparison, in bounded memory."""
        scores: NDArray[np.float32] = self.system.score_all(images, texts).numpy()
        return scores

    @property
    def localises(self) -> bool:
        """Whether :meth:`explain` works: models that see pictures as a whole cannot say where."""
        return self.system.localises

    @property
    def map_preprocessing(self) -> Preprocessing:
        """From a decoded picture to the pixels that :meth:`heat` is best given."""
        from polyglance.vision.localisation import map_preprocessing

        backbone: Any = self.system.parts().get("image.backbone")
        return self.preprocessing if backbone is None else map_preprocessing(backbone)

    def explain(self, image: Picture, text: str, *, language: str | None = None) -> HeatMap:
        """Where in a picture the model sees what a text says.

        Args:
            image: by path, or as a PIL image.
            text: in any language of the model's.
            language: BCP-47 tag, or ``None`` where it is not known.

        Raises:
            PictureError: the picture cannot be read; the message names it.
            ModelError: the model sees pictures only as a whole.
        """
        from polyglance.data.decode import as_rgb, open_picture
        from polyglance.vision.heat_map import HeatMap

        fine = self.map_preprocessing
        if isinstance(image, str | Path):
            picture = open_picture(Path(image), target_size=fine.decode_size)
        else:
            picture = as_rgb(image)
        width, height = picture.size
        left, top, right, bottom = fine.visible(width, height)
        texts = self.text_features([text], language=language)
        heat = self.heat(fine(picture)[np.newaxis], texts)  # (1, 1, rows, columns)
        whole = self.pixel_features(self.preprocessing(picture)[np.newaxis])
        return HeatMap(
            values=heat[0, 0],
            visible=(left / width, top / height, right / width, bottom / height),
            score=float(self.score(whole, texts)[0, 0]),
            language=language or "und",
        )

    def heat(self, pixels: NDArray[np.uint8], texts: Features) -> NDArray[np.float32]:
        """Maps of every picture for every text.

        Args:
            pixels: (images, 3, height, width), as :attr:`map_preprocessing` makes them.
            texts: of :meth:`text_features`.

        Returns:
            (images, texts, rows, columns); only the places within one map can be compared.

        Raises:
            ModelError: the model sees pictures only as a whole.
        """
        import torch

        with torch.inference_mode():
            maps: NDArray[np.float32] = self.system.heat(torch.from_numpy(pixels), texts).numpy()
        return maps

    def require_embeddings(self) -> None:
        """Refuse what needs a vector a picture with a model that compares pair by pair.

        Raises:
            ModelError: the model's scores are no inner products of embeddings.
        """
        if not self.system.is_inner_product:
            raise ModelError(
                f"{self.name}: this model compares every picture with every text anew, and has no "
                "embeddings that could be indexed or searched. Compare with Retriever.score, "
                "from image_features and text_features; to search, take a model that compares "
                "embeddings by cosine, such as `mini`"
            )

    def _encoded_images(
        self, images: Sequence[Picture], batch_size: int, show_progress: bool
    ) -> Iterator[Features]:
        """Batch after batch, decoded ahead."""
        from polyglance.data.ahead import ordered_ahead
        from polyglance.progress import track

        decoded = ordered_ahead(self._pixels, images, workers=2, ahead=2 * batch_size)
        with track("pictures", len(images), show=show_progress) as advance:
            while batch := list(islice(decoded, batch_size)):
                yield self.pixel_features(np.stack(batch))
                advance(len(batch))

    def _encoded_texts(
        self, texts: Sequence[str], language: str | Sequence[str] | None, batch_size: int
    ) -> Iterator[tuple[list[int], Features]]:
        """Rows of ``texts`` and their features, in batches of like length."""
        import torch

        from polyglance.data.language import one_language_each
        from polyglance.data.text import normalise_text
        from polyglance.text.batching import length_sorted_batches

        tags = one_language_each(language, len(texts))
        normalised = [normalise_text(text) for text in texts]
        for rows in length_sorted_batches(normalised, batch_size=batch_size):
            with torch.inference_mode():
                inputs = self.system.prepare_texts(
                    [normalised[row] for row in rows], [tags[row] for row in rows]
                )
                features = self.system.encode_texts(inputs)
            yield rows, features

    def similarity(self, a: Embeddings, b: Embeddings) -> Embeddings:
        """(n, dimension) and (m, dimension) → (n, m) cosines."""
        return a @ b.T

    def rank(self, query: Embeddings, candidates: Embeddings, *, top: int = 10) -> list[Hit]:
        """The ``top`` candidates for one query, (dimension,) or (1, dimension), best first."""
        scores = (candidates @ query.reshape(-1)).astype(np.float32)  # (candidates,)
        best = np.argsort(-scores, kind="stable")[:top]
        return [Hit(int(row), float(scores[row])) for row in best]

    def _pixels(self, image: Picture) -> NDArray[np.uint8]:
        """One picture or video → what the model is given of it."""
        from polyglance.data.ahead import decode, decode_video
        from polyglance.data.decode import as_rgb
        from polyglance.data.video import is_video

        if not isinstance(image, str | Path):
            return self.preprocessing.clip([as_rgb(image)])
        read = decode_video if is_video(image) else decode
        return read(Path(image), self.preprocessing)

    def save(self, path: str | Path) -> None:
        """Write the model as a checkpoint folder.

        Raises:
            ModelError: its own backbone was rounded when it was loaded.
        """
        from polyglance.systems.checkpoint import save_system

        self.fingerprint = save_system(self.system, Path(path), languages=self.languages)


def _load(asked: str | Path) -> tuple[Checkpoint, str]:
    """A model, or a pair of towers, and what to call it."""
    from polyglance.systems.loading import load_model, load_pair

    pair = None if find(asked) else _pair(str(asked))
    if pair is None:
        folder = locate(asked)
        return load_model(folder), name_of(folder, asked)
    text, image = map(locate, pair)
    return load_pair(text, image), f"{name_of(text, pair[0])}+{name_of(image, pair[1])}"


def _pair(name: str) -> tuple[str, str] | None:
    """The two models around a plus sign; names may have such signs themselves."""
    for place, letter in enumerate(name):
        text, image = name[:place], name[place + 1 :]
        if letter == "+" and text and image and find(text) and find(image):
            return text, image
    return None
