"""An image processor of transformers, taken apart into geometry and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from polyglance.errors import ModelError
from polyglance.vision.exact_preprocessing import ExactPreprocessing
from polyglance.vision.processor_config import Colours

PLAIN = ("CLIP", "Siglip", "ChineseCLIP", "ViT", "Bit")
"""Processors that resize, cut, rescale and normalise, and do nothing else."""


class ExactProcessor(NamedTuple):
    """All that an image processor does: geometry, then colours."""

    preprocessing: ExactPreprocessing
    colours: Colours


def load_processor(folder: Path) -> ExactProcessor:
    """The image processor in a model's folder; what its file leaves open, its class decides.

    Raises:
        ModelError: there is none, or it does something else.
    """
    from transformers import AutoImageProcessor

    try:
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            str(folder), local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"{folder}: no image processor could be loaded ({_first_line(error)}); put the "
            "preprocessor_config.json of the model there"
        ) from None
    return take_apart(processor, folder)


def take_apart(processor: Any, folder: Path) -> ExactProcessor:
    """What a processor does to a picture, from its attributes.

    Args:
        processor: of transformers.
        folder: that it came from, for messages.

    Raises:
        ModelError: it pads, makes no squares, or is of a kind that does more than the plain ones.
    """
    name = type(processor).__name__
    plain = name.removesuffix("Pil").removesuffix("Fast").removesuffix("ImageProcessor")
    if plain not in PLAIN or getattr(processor, "do_pad", False):
        known = ", ".join(f"{each}ImageProcessor" for each in PLAIN)
        raise ModelError(f"{folder}: pictures by {name} are not supported; supported: {known}")
    geometry = _geometry(processor)
    if geometry is None:
        raise ModelError(
            f"{folder}: its {name} leaves pictures that are no squares (size {processor.size}, "
            f"crop_size {getattr(processor, 'crop_size', None)}); a model of squares is needed"
        )
    return ExactProcessor(preprocessing=geometry, colours=_colours(processor))


def _geometry(processor: Any) -> ExactPreprocessing | None:
    """Squash or crop; ``None`` where the result is no square."""
    if not processor.do_resize:
        return None
    size, resample = processor.size, int(processor.resample)
    cut = processor.crop_size if getattr(processor, "do_center_crop", False) else None
    if cut is not None and cut.height != cut.width:
        return None
    if size.height and size.height == size.width and (cut is None or cut.height == size.height):
        return ExactPreprocessing(size=size.height, fit="squash", resample=resample)
    shorter = size.shortest_edge
    if cut is None or not shorter or size.longest_edge or cut.height > shorter:
        return None
    return ExactPreprocessing(
        size=cut.height,
        fit="crop",
        crop_fraction=cut.height / shorter,
        shorter=shorter,
        resample=resample,
    )


def _colours(processor: Any) -> Colours:
    """Mean and deviation in 0-255 units: (x · rescale - mean) / std, in one step."""
    unit = 1 / processor.rescale_factor if processor.do_rescale else 1.0
    if not processor.do_normalize:
        return Colours(mean=(0.0, 0.0, 0.0), std=(unit, unit, unit))
    return Colours(
        mean=tuple(unit * value for value in processor.image_mean),
        std=tuple(unit * value for value in processor.image_std),
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
