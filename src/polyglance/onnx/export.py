"""Exporting a model: graphs, how to make their inputs, and a check that both agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from polyglance.errors import ConfigError, ModelError
from polyglance.onnx.description import (
    FILE,
    IMAGES,
    TEXTS,
    TOKENIZER,
    Description,
    Pictures,
    Sentences,
    Tokens,
    is_export,
)
from polyglance.onnx.encoder import OnnxEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyglance.retriever import Retriever

AGREES = 1e-3
"""Of 1 − cosine, between a model in float32 and its graphs in float32: rounding, and no more."""

PROBES = (
    "a dog runs through the snow",
    "Ein Hund rennt durch den Schnee.",
    "un chien",
    "dítě v červené bundě",
    "一只狗在雪地里奔跑",
    "كلب يركض في الثلج",
    "犬が雪の中を走る",
    "สุนัขวิ่งในหิมะ",
    "🐶❄️ ＡＢＣ １２３",
    "  spaces\tand\nlines  ",
    "ÉCOLE École e\u0301cole",
    "<s> </s> [CLS] <|endoftext|> </w>",
    "!!! ... ?",
    "",
    "word " * 300,
)
"""Texts that tokenizers differ over: scripts, marks, widths, special tokens' names, lengths."""


class Parity(NamedTuple):
    """How far the graphs' embeddings are from the model's: the smallest cosines."""

    images: float
    texts: float


def export(
    model: str | Path, folder: Path, *, pictures: Sequence[Path] = (), int8: bool = False
) -> Parity:
    """Write a model as ONNX graphs into a folder, which is whole or not there.

    Args:
        model: as :meth:`~polyglance.retriever.Retriever.load` takes it.
        folder: new, or an export that is replaced.
        pictures: to compare embeddings on besides noise; with ``int8`` a convolutional network's
            ranges are measured on them.
        int8: with weights of eight bits.

    Raises:
        ConfigError: the folder is something else, the extra ``onnx`` is not installed, or there are
            no pictures to measure ranges on.
        ModelError: the model cannot be exported, or its graphs do not agree with it.
    """
    from polyglance.retriever import Retriever
    from polyglance.weights.cache import installing

    if folder.exists() and not is_export(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is no export; name a new folder")
    retriever = Retriever.load(model, rounded=False)
    retriever.require_embeddings()
    texts = _texts(retriever)
    with installing(folder.absolute(), {"made_from": retriever.name}) as building:
        fingerprint, apart = _write_graphs(retriever, building, pictures if int8 else None)
        described = Description(
            model=retriever.name,
            fingerprint=fingerprint,
            precision="int8" if int8 else "float32",
            dimension=retriever.dimension,
            languages=retriever.languages,
            apart=apart,
            pictures=Pictures.of(retriever.preprocessing),
            texts=texts,
        )
        (building / FILE).write_text(described.model_dump_json(indent=2) + "\n", "utf-8")
        parity = _compared(retriever, OnnxEncoder(building), pictures)
        if not int8 and 1 - min(parity) > AGREES:
            raise ModelError(
                f"{retriever.name}: the graphs' embeddings differ from the model's (least cosine: "
                f"pictures {parity.images:.4f}, texts {parity.texts:.4f}); nothing was written"
            )
    return parity


def _write_graphs(
    retriever: Retriever, folder: Path, pictures: Sequence[Path] | None
) -> tuple[str, bool]:
    """Both graphs and what they need; with pictures in eight bits.

    Returns:
        A fingerprint, and whether pictures are to be encoded one by one.
    """
    from polyglance.onnx.graphs import write_image_graph, write_text_graph
    from polyglance.onnx.quantise import quantise_images, quantise_texts
    from polyglance.systems.fingerprint import combined_fingerprint
    from polyglance.systems.hub_dual_encoder import HubDualEncoder

    write_image_graph(retriever.system, folder / IMAGES)
    write_text_graph(retriever.system, folder / TEXTS)
    if isinstance(retriever.system, HubDualEncoder):
        retriever.system.tokenizer.save_fast(folder / TOKENIZER)
    if pictures is None:
        return retriever.fingerprint, False
    pixels = _pixels(retriever, pictures) if pictures else None
    apart = not quantise_images(folder / IMAGES, pixels)
    quantise_texts(folder / TEXTS)
    graphs = ((folder / name).read_bytes() for name in (IMAGES, TEXTS))
    return combined_fingerprint(*graphs), apart


def _texts(retriever: Retriever) -> Sentences | Tokens:
    """How a model's texts are prepared.

    Raises:
        ModelError: by means that need torch.
    """
    from polyglance.systems.hub_dual_encoder import HubDualEncoder
    from polyglance.systems.mini import Mini
    from polyglance.text.sentence_encoder import SentenceEncoder

    system = retriever.system
    if isinstance(system, Mini) and isinstance(system.encoder, SentenceEncoder):
        return Sentences(encoder=system.encoder.fingerprint, buckets=system.text.correction.buckets)
    if isinstance(system, HubDualEncoder):
        tokenizer = system.tokenizer
        pad_id, pad_side = tokenizer.padding
        return Tokens(
            max_length=tokenizer.max_length,
            pads_fully=tokenizer.pads_fully,
            has_mask=tokenizer.has_mask,
            pad_id=pad_id,
            pad_side=pad_side,
            cleaning=tokenizer.cleaning,
        )
    raise ModelError(
        f"{retriever.name}: a {type(system).__name__} cannot be exported; "
        "`mini`, what was adapted from it, and CLIP, SigLIP and like models can"
    )


def _pixels(retriever: Retriever, pictures: Sequence[Path]) -> NDArray[np.uint8]:
    """(pictures, 3, size, size) uint8."""
    from polyglance.data.decode import open_picture

    fit = retriever.preprocessing
    opened = (open_picture(path, target_size=fit.decode_size) for path in pictures)
    return np.stack([fit(picture) for picture in opened])


def _compared(retriever: Retriever, graphs: OnnxEncoder, pictures: Sequence[Path]) -> Parity:
    size = retriever.preprocessing.size
    noise = np.random.default_rng(0).integers(0, 256, (4, 3, size, size), dtype=np.uint8)
    pixels = np.concatenate([noise, _pixels(retriever, pictures[:16])]) if pictures else noise
    images = retriever.encode_pixels(pixels) * graphs.encode_pixels(pixels)
    texts = retriever.encode_texts(PROBES) * graphs.encode_texts(PROBES)
    return Parity(images=float(images.sum(1).min()), texts=float(texts.sum(1).min()))
