"""``onnx.json``: what an exported folder holds, and how pictures and texts become its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from polyglance.errors import ModelError
from polyglance.text.cleaning import Cleaning

if TYPE_CHECKING:
    from polyglance.vision.preprocessing import Preprocessing

FILE, IMAGES, TEXTS, TOKENIZER = "onnx.json", "image.onnx", "text.onnx", "tokenizer.json"
FORMAT = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pictures(_Part):
    """Geometry; see :class:`~polyglance.vision.preprocessing.Preprocessing`.

    Attributes:
        shorter: set where the geometry is
            :class:`~polyglance.vision.exact_preprocessing.ExactPreprocessing`.
        resample: likewise.
    """

    size: PositiveInt
    fit: Literal["crop", "squash"]
    crop_fraction: float
    shorter: PositiveInt | None = None
    resample: int | None = None

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> Pictures:
        """As a model has it."""
        from polyglance.vision.exact_preprocessing import ExactPreprocessing

        described = cls(
            size=preprocessing.size,
            fit=preprocessing.fit,
            crop_fraction=preprocessing.crop_fraction,
        )
        if not isinstance(preprocessing, ExactPreprocessing):
            return described
        exact = {"shorter": preprocessing.shorter, "resample": preprocessing.resample}
        return described.model_copy(update=exact)

    def preprocessing(self) -> Preprocessing:
        """From a decoded picture to pixels."""
        from polyglance.vision.exact_preprocessing import ExactPreprocessing
        from polyglance.vision.preprocessing import Preprocessing

        if self.shorter is None or self.resample is None:
            return Preprocessing(size=self.size, fit=self.fit, crop_fraction=self.crop_fraction)
        return ExactPreprocessing(**self.model_dump())


class Sentences(_Part):
    """Texts by the frozen sentence encoder and by hashed n-grams, as ``mini`` reads them.

    Attributes:
        encoder: fingerprint of the sentence encoder, which lies in the cache.
        buckets: of n-grams.
    """

    kind: Literal["sentences"] = "sentences"
    encoder: str
    buckets: PositiveInt


class Tokens(_Part):
    """Texts by ``tokenizer.json``.

    Attributes:
        max_length: tokens of a text, with those around it; the rest is not read.
        pads_fully: to ``max_length``, not to the longest text of a batch.
        has_mask: whether the graph is told which tokens are padding.
        pad_id: of the padding.
        pad_side: where it goes.
        cleaning: what is done to a text before; see :func:`~polyglance.text.cleaning.clean`.
    """

    kind: Literal["tokens"] = "tokens"
    max_length: PositiveInt
    pads_fully: bool
    has_mask: bool
    pad_id: int
    pad_side: Literal["left", "right"]
    cleaning: Cleaning


class Description(_Part):
    """The content of ``onnx.json``.

    Attributes:
        format: version of everything in the folder.
        model: name or folder of the model that was exported.
        fingerprint: that model's where its embeddings are the graphs' too; int8 has its own.
        precision: of the graphs' weights.
        dimension: of embeddings.
        languages: BCP-47 tags of those that the model was trained on.
        apart: whether pictures are encoded one by one, since a graph whose numbers are rounded by
            the largest of a batch gives each another embedding beside others.
        pictures: how they become the inputs of ``image.onnx``.
        texts: how they become the inputs of ``text.onnx``.
    """

    format: int = FORMAT
    model: str
    fingerprint: str
    precision: Literal["float32", "int8"]
    dimension: PositiveInt
    languages: tuple[str, ...]
    apart: bool = False
    pictures: Pictures
    texts: Annotated[Sentences | Tokens, Field(discriminator="kind")]


def is_export(folder: Path) -> bool:
    """Whether a folder was made by ``polyglance export``."""
    return (folder / FILE).is_file()


def read_description(folder: Path) -> Description:
    """Read ``onnx.json``.

    Raises:
        ModelError: it is damaged or of another version, or a graph is missing.
    """
    path = folder / FILE
    try:
        described = Description.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({_first_line(error)}); export anew") from None
    if described.format != FORMAT:
        raise ModelError(f"{path} has format {described.format}, not {FORMAT}; export anew")
    if lost := [name for name in (IMAGES, TEXTS) if not (folder / name).is_file()]:
        raise ModelError(f"{folder} lacks {' and '.join(lost)}; export anew")
    return described


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
