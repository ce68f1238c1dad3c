"""Any model that a folder may hold: a checkpoint of ours, or a published dual encoder."""

from __future__ import annotations

from pathlib import Path

from polyglance.systems.builders.hub import read_hub_dual_encoder
from polyglance.systems.checkpoint import Checkpoint, load_checkpoint
from polyglance.systems.hub_files import folder_fingerprint, read_model_type


def load_model(folder: Path) -> Checkpoint:
    """Load what a folder holds, in evaluation mode. Never uses the network.

    Raises:
        ModelError: it is nothing that can be searched with, or is damaged.
        WeightsError: a pretrained tower that a checkpoint names has not been fetched.
    """
    folder = Path(folder)
    if read_model_type(folder) is None:
        return load_checkpoint(folder)
    system = read_hub_dual_encoder(folder)
    return Checkpoint(system.eval(), folder_fingerprint(folder), languages=())
