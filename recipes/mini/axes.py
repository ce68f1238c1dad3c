"""Step 7: keep of the packaged model's embeddings the axes along which they vary.

    POLYGLANCE_FLICKR8K=… python recipes/mini/axes.py src/polyglance/models/mini

Five caption branches and the names make vectors of 1,792 numbers, most of which say little: the
principal components of pictures and texts together, of training photos with a caption in every
language, and of classes with their names, are fewer. Names count a quarter, or they would be lost:
without, 512 axes cost a twelfth of what is found by name, and with them nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from packaged import package
from store import CAPTIONED, folder_of
from torch.nn import functional

from polyglance import Retriever
from polyglance.data.manifest import read_manifest
from polyglance.systems.mini import Mini

AXES = 512
PHOTOS = 2000
NAMES_COUNT = 0.25
CLASSES = Path(__file__).parents[2] / "src/polyglance/weights/imagenet_classes.txt"

Vectors = NDArray[np.float32]


def main(folder: Path) -> None:
    """Write the model's folder anew."""
    whole = Retriever.load(folder, rounded=False)
    system = whole.system
    if not isinstance(system, Mini) or system.axes is not None:
        raise SystemExit(f"{folder} is no mini with all of its axes")
    captioned = _moments(*_captioned(whole))
    named = _moments(*_named(whole, system))
    axes = principal((1 - NAMES_COUNT) * captioned + NAMES_COUNT * named, AXES)
    shorter = Mini(
        backbone=system.backbone,
        encoder=system.encoder,
        image=system.image,
        text=system.text,
        loss=system.loss,
        config=system.config.model_copy(update={"axes": AXES}),
        towers=system.towers,
    )
    shorter.axes = torch.from_numpy(axes)
    print(package(shorter, folder))


def principal(moments: NDArray[np.float64], count: int) -> Vectors:
    """(dimension, dimension) second moments → (count, dimension) orthonormal, the largest first."""
    _, vectors = np.linalg.eigh(moments)
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].T, dtype=np.float32)


def _moments(pictures: Vectors, texts: Vectors) -> NDArray[np.float64]:
    """Second moments, of which pictures and texts are half each."""
    moments: list[NDArray[np.float64]] = [
        rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
        for rows in (pictures, texts)
    ]
    return moments[0] + moments[1]


def _captioned(model: Retriever) -> tuple[Vectors, Vectors]:
    """Photos, and the first caption in every language of each."""
    records = read_manifest(folder_of("POLYGLANCE_FLICKR8K") / "train.jsonl")
    drawn = Random(0).sample(records, PHOTOS)
    pictures = model.encode_images(
        [record.image for record in drawn if record.image], show_progress=True
    )
    texts = [
        record.captions[tag][0] for tag in CAPTIONED for record in drawn if tag in record.captions
    ]
    return pictures, model.encode_texts(texts)


def _named(model: Retriever, system: Mini) -> tuple[Vectors, Vectors]:
    """Classes, each as a picture that shows it alone and says nothing as a caption; their names."""
    classes = functional.normalize(system.image.names.vectors.detach(), dim=1).numpy()
    pictures = np.zeros((len(classes), model.dimension), dtype=np.float32)
    pictures[:, -classes.shape[1] :] = classes
    return pictures, model.encode_texts(CLASSES.read_text("utf-8").split("\n")[: len(classes)])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
