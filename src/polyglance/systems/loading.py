"""Any model that a folder may hold: a checkpoint of ours, or a published dual encoder."""

from __future__ import annotations

from pathlib import Path

from polyglance.errors import ModelError
from polyglance.systems.builders.hub import read_hub_dual_encoder
from polyglance.systems.builders.hub_pair import read_hub_pair
from polyglance.systems.checkpoint import Checkpoint, load_checkpoint
from polyglance.systems.fingerprint import combined_fingerprint
from polyglance.systems.hub_files import folder_fingerprint, read_model_type
from polyglance.systems.sentence_modules import read_modules, sentence_fingerprint


def load_model(folder: Path) -> Checkpoint:
    """Load what a folder holds, in evaluation mode. Never uses the network.

    Raises:
        ModelError: it is nothing that can be searched with, or is damaged.
        WeightsError: a pretrained tower that a checkpoint names has not been fetched.
    """
    folder = _inner(Path(folder))
    if (folder / "onnx.json").is_file():
        raise ModelError(
            f"{folder} is an export: it indexes and searches, and does nothing else; take the "
            "model that it was made from"
        )
    if read_modules(folder):
        raise ModelError(
            f"{folder} is a model of sentence-transformers that reads texts alone; if it was "
            "taught the space of an image model, name that one behind a plus sign: "
            f"{folder.name}+NAME"
        )
    if read_model_type(folder) is None:
        return load_checkpoint(folder)
    system = read_hub_dual_encoder(folder)
    return Checkpoint(system.eval(), folder_fingerprint(folder), languages=())


def load_pair(text_folder: Path, image_folder: Path) -> Checkpoint:
    """Load a text tower of sentence-transformers beside the image side of a dual encoder.

    Raises:
        ModelError: a folder is none of these, is damaged, or they end in different dimensions.
    """
    image_folder = _inner(image_folder)
    system = read_hub_pair(text_folder, image_folder)
    both = sentence_fingerprint(text_folder), folder_fingerprint(image_folder)
    return Checkpoint(system.eval(), combined_fingerprint(*both), languages=())


def _inner(folder: Path) -> Path:
    """Where sentence-transformers puts a CLIP model; any other folder is itself."""
    modules = read_modules(folder)
    return modules[0].folder if [each.kind for each in modules] == ["CLIPModel"] else folder
