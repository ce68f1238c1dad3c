"""Files of features in the published formats, written as their authors' scripts write them."""

import base64
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from polyglance.cli.data import app

GENERATOR = np.random.default_rng(0)


def tsv_line(name: str, boxes: np.ndarray, features: np.ndarray, *more: np.ndarray) -> str:
    """As bottom-up attention's generate_tsv: base64 of float32, tabs, no header."""
    packed = [
        base64.b64encode(array.astype("<f4").tobytes()).decode()
        for array in (boxes, features, *more)
    ]
    return "\t".join([name, "640", "480", str(len(boxes)), *packed]) + "\n"


def precomp(folder: Path, split: str, ims: np.ndarray, **captions: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    np.save(folder / f"{split}_ims.npy", ims)
    for tag, lines in captions.items():
        name = f"{split}_caps.txt" if tag == "plain" else f"{split}_caps.{tag}.txt"
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def numbered(count: int, word: str = "caption") -> list[str]:
    return [f"{word} {n}" for n in range(count)]


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def f30k(folder: Path) -> dict[str, np.ndarray]:
    ims = {s: GENERATOR.normal(size=(n, 4, 3)) for s, n in [("train", 5), ("dev", 2), ("test", 3)]}
    for split, array in ims.items():
        precomp(
            folder, split, array, plain=numbered(5 * len(array), split), de=numbered(len(array))
        )
    return ims
