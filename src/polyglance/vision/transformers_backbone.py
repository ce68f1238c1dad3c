"""Any vision model of transformers as a backbone: ResNet, ConvNeXt, ViT, CLIP, SigLIP or DINOv2."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from polyglance.errors import ModelError
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.normalise import normalise
from polyglance.vision.preprocessing import Preprocessing
from polyglance.vision.processor_config import Colours, read_processor

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

ARCHITECTURE = "vision-architecture.json"
IMAGENET_COLOURS = Colours(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


class TransformersBackbone(Backbone):
    """Wraps a model; its grid is the last hidden state without class and register tokens.

    The pooled vector is the model's own pooler's where it has a trained one, else its class token,
    else the mean of the grid.

    Args:
        model: a vision model of transformers, or a dual encoder with a ``vision_model``.
        colours: mean and deviation of the pictures that it was trained on.
        preprocessing: geometry of the pixels; by default the model's size.
        use_pooler: false where the model's pooler was never trained.

    Raises:
        ModelError: the model does not turn pixels into a grid.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        colours: Colours = IMAGENET_COLOURS,
        preprocessing: Preprocessing | None = None,
        use_pooler: bool = True,
    ) -> None:
        super().__init__()
        self.model = getattr(model, "vision_model", model)
        self.colours = colours
        self.use_pooler = use_pooler
        config = self.model.config
        native = _side(getattr(config, "image_size", None))
        self.preprocessing = preprocessing or Preprocessing(size=native or 224)
        self._patch = _side(getattr(config, "patch_size", None))
        self._options: dict[str, Any] = {}
        accepted = inspect.signature(self.model.forward).parameters
        if native not in (None, self.preprocessing.size) and "interpolate_pos_encoding" in accepted:
            self._options["interpolate_pos_encoding"] = True
        self.channels, self.grid_size = self._probe()

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        offline: bool = True,
        preprocessing: Preprocessing | None = None,
        colours: Colours | None = None,
    ) -> TransformersBackbone:
        """Load from a local folder or by a hub name.

        Args:
            name: a folder, or a name on the hub.
            offline: look only at this machine, which includes the hub's own cache.
            preprocessing: by default what the model's image processor does, as near as
                :class:`Preprocessing` comes.
            colours: by default the image processor's.

        Raises:
            ModelError: not found, not safetensors, incomplete, or no image processor beside it.
        """
        from transformers import AutoModel

        processor = read_processor(str(name), offline=offline)
        if colours is None and (processor is None or processor.colours is None):
            raise ModelError(
                f"{name} has no preprocessor_config.json with image_mean and image_std, so its "
                "colours are unknown; save the image processor beside the model"
            )
        try:
            model, report = AutoModel.from_pretrained(
                str(name),
                local_files_only=offline,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except (OSError, ValueError) as error:
            remedy = f"; `hf download {name}` fetches it from the hub" if offline else ""
            raise ModelError(f"{name}: no vision model could be loaded ({error}){remedy}") from None
        missing = [key for key in report["missing_keys"] if _is_vision(model, key)]
        pooler = [key for key in missing if "pooler" in key]
        if lost := sorted(set(missing) - set(pooler)):
            raise ModelError(f"{name} lacks the weights {', '.join(lost[:3])} of its architecture")
        chosen = colours or (processor.colours if processor is not None else None)
        return cls(
            model=model,
            colours=chosen or IMAGENET_COLOURS,
            preprocessing=preprocessing or (processor.preprocessing if processor else None),
            use_pooler=not pooler,
        ).eval()

    @classmethod
    def from_config(
        cls,
        config: PretrainedConfig | dict[str, Any],
        *,
        colours: Colours = IMAGENET_COLOURS,
        preprocessing: Preprocessing | None = None,
        use_pooler: bool = True,
    ) -> TransformersBackbone:
        """Random weights of an architecture: to be trained, or filled from a checkpoint.

        Args:
            config: of transformers, or its ``to_dict()``.
            colours: as in the constructor; so are all that follow.
            preprocessing: geometry of the pixels.
            use_pooler: whether to take the model's pooled vector.

        Raises:
            ModelError: the dictionary names no known ``model_type``.
        """
        from transformers import AutoConfig, AutoModel

        if isinstance(config, dict):
            try:
                config = AutoConfig.for_model(**config)
            except (TypeError, ValueError) as error:
                raise ModelError(f"not a configuration of transformers: {error}") from None
        model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        return cls(model=model, colours=colours, preprocessing=preprocessing, use_pooler=use_pooler)

    @classmethod
    def from_folder(cls, folder: Path) -> TransformersBackbone:
        """What :meth:`save_architecture` described, with random weights.

        Raises:
            ModelError: the description is missing or damaged.
        """
        try:
            described = json.loads((folder / ARCHITECTURE).read_text("utf-8"))
            return cls.from_config(
                described["config"],
                colours=Colours(*(tuple(each) for each in described["colours"])),
                preprocessing=Preprocessing(**described["preprocessing"]),
                use_pooler=described["use_pooler"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder / ARCHITECTURE} cannot be read: {error!r}") from None

    def save_architecture(self, folder: Path) -> None:
        """Write all but the weights, so that a checkpoint needs no folder elsewhere."""
        described = {
            "config": self.model.config.to_dict(),
            "colours": list(self.colours),
            "preprocessing": asdict(self.preprocessing),
            "use_pooler": self.use_pooler,
        }
        text = json.dumps(described, indent=2, ensure_ascii=False, default=str)
        (folder / ARCHITECTURE).write_text(text + "\n", "utf-8")

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        """(batch, 3, size, size) uint8 → grid (batch, channels, rows, columns) and pooled."""
        inputs = normalise(
            pixels,
            mean=self.colours.mean,
            std=self.colours.std,
            dtype=next(self.model.parameters()).dtype,
        )
        outputs = self.model(pixel_values=inputs, **self._options)
        hidden: Tensor = outputs.last_hidden_state
        pooled: Tensor | None = getattr(outputs, "pooler_output", None) if self.use_pooler else None
        if hidden.dim() == 4:  # a convolutional network: (batch, channels, rows, columns)
            grid, extra = hidden, None
        else:  # a transformer: (batch, extra + rows · columns, channels), extra tokens first
            cells = self._cells(hidden.shape[1], pixels.shape[-1])
            extra = hidden[:, : hidden.shape[1] - cells]  # (batch, extra, channels)
            batch, side = len(hidden), math.isqrt(cells)
            grid = hidden[:, -cells:].transpose(1, 2).reshape(batch, -1, side, side)
        if pooled is None:
            pooled = extra[:, 0] if extra is not None and extra.shape[1] else grid.mean((2, 3))
        return BackboneFeatures(grid=grid.float(), pooled=pooled.flatten(1).float())

    def _cells(self, tokens: int, size: int) -> int:
        """How many of ``tokens`` are cells of the grid."""
        if self._patch is not None and (size // self._patch) ** 2 <= tokens:
            return (size // self._patch) ** 2
        if math.isqrt(tokens) ** 2 == tokens:  # a hierarchy, such as Swin, has fewer than patches
            return tokens
        raise ModelError(
            f"{type(self.model).__name__} gives {tokens} tokens for {size} pixels, no square grid"
        )

    def _probe(self) -> tuple[int, tuple[int, int]]:
        """Channels and grid size, from one black picture."""
        size = self.preprocessing.size
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad():
                grid, pooled, _ = self(torch.zeros(1, 3, size, size, dtype=torch.uint8))
        except (TypeError, AttributeError, ValueError) as error:
            name = type(self.model).__name__
            raise ModelError(f"{name} does not turn pixels into a grid: {error}") from error
        self.model.train(was_training)
        self.pools_by_mean = pooled.shape == grid.shape[:2] and torch.allclose(
            pooled, grid.mean((2, 3)), rtol=1e-3, atol=1e-4
        )
        if pooled.shape[1] != grid.shape[1]:
            raise ModelError(
                f"{type(self.model).__name__} pools to {pooled.shape[1]} channels but its grid "
                f"has {grid.shape[1]}"
            )
        return grid.shape[1], (grid.shape[2], grid.shape[3])


def _side(size: int | Sequence[int] | None) -> int | None:
    """A configuration's size, which some models give as a pair."""
    if size is None or isinstance(size, int):
        return size
    return int(size[0])


def _is_vision(model: PreTrainedModel, key: str) -> bool:
    """Whether a weight belongs to the part that is kept."""
    return not hasattr(model, "vision_model") or key.startswith("vision_model.")
