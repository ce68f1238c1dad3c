"""EfficientNet-Lite: EfficientNet (Tan and Le, ICML 2019) for devices without fast odd operations.

Lite keeps the compound scaling of table 1 and drops squeeze-and-excitation; ReLU6 takes the place
of Swish; stem and head are the same in every size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.normalise import normalise
from polyglance.vision.preprocessing import Preprocessing


class Stage(NamedTuple):
    """A row of table 1: inverted bottlenecks of one shape."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


B0_STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, outputs=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, outputs=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, outputs=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, outputs=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, outputs=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, outputs=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, outputs=320),
)


def scaled_stages(
    *, width: float, depth: float, stages: Sequence[Stage] = B0_STAGES
) -> list[Stage]:
    """Compound scaling: channels by ``width``, to multiples of 8; repeats by ``depth``, rounded up.

    The first and the last stage keep their depth in the Lite variants.
    """
    scaled: list[Stage] = []
    for index, stage in enumerate(stages):
        fixed = index in (0, len(stages) - 1)
        repeats = stage.repeats if fixed else math.ceil(depth * stage.repeats)
        scaled.append(
            stage._replace(repeats=repeats, outputs=_rounded_channels(width * stage.outputs))
        )
    return scaled


def _rounded_channels(wanted: float) -> int:
    """The nearest multiple of 8, but never more than a tenth below what is wanted."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class SamePadConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow: what is odd goes to the right and to the bottom."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in, rows, columns) → (batch, out, ⌈rows / stride⌉, ⌈columns / stride⌉)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (
            max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            for side in inputs.shape[-2:]
        )
        if rows % 2 == 0 and columns % 2 == 0:  # symmetric: let the convolution do it
            padding = (rows // 2, columns // 2)
            return functional.conv2d(
                inputs, self.weight, self.bias, self.stride, padding, groups=self.groups
            )
        sides = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
        return super().forward(functional.pad(inputs, sides))


class InvertedBottleneck(nn.Module):
    """1×1 expands, depthwise looks around, 1×1 projects; the input is added where shapes agree."""

    def __init__(
        self, *, inputs: int, outputs: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = nn.Conv2d(inputs, hidden, 1) if expansion != 1 else None
        self.depthwise = SamePadConv2d(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, inputs, rows, columns) → (batch, outputs, rows / stride, columns / stride)."""
        hidden = inputs if self.expand is None else functional.relu6(self.expand(inputs))
        hidden = self.project(functional.relu6(self.depthwise(hidden)))
        outputs: Tensor = hidden + inputs if self.adds_input else hidden
        return outputs


class EfficientNetLite(Backbone):
    """EfficientNet-Lite with batch normalisation folded into the convolutions.

    Args:
        width: channel multiplier: 1.0, 1.0, 1.1 for Lite0, 1, 2.
        depth: repeat multiplier: 1.0, 1.1, 1.2 for Lite0, 1, 2.
        classes: of the classifier over the pooled vector; ``None`` for no classifier.
        stages: unscaled.
        head: channels of the grid.
        mean: of the training pictures, per RGB channel in 0-255 units.
        std: likewise.
        class_names: one a class, or none.
        preprocessing: geometry of the pixels.
    """

    any_size = True
    pools_by_mean = True

    def __init__(
        self,
        *,
        width: float = 1.0,
        depth: float = 1.0,
        classes: int | None = 1000,
        stages: Sequence[Stage] = B0_STAGES,
        head: int = 1280,
        mean: Sequence[float] = (127.0, 127.0, 127.0),
        std: Sequence[float] = (128.0, 128.0, 128.0),
        class_names: Sequence[str] = (),
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing or Preprocessing(size=224)
        self.mean, self.std = tuple(mean), tuple(std)
        self.class_names = tuple(class_names)
        inputs, side = 32, math.ceil(self.preprocessing.size / 2)
        self.stem = SamePadConv2d(3, inputs, 3, stride=2)
        blocks: list[nn.Module] = []
        for stage in scaled_stages(width=width, depth=depth, stages=stages):
            for repeat in range(stage.repeats):
                blocks.append(
                    InvertedBottleneck(
                        inputs=inputs,
                        outputs=stage.outputs,
                        kernel=stage.kernel,
                        stride=stage.stride if repeat == 0 else 1,
                        expansion=stage.expansion,
                    )
                )
                inputs = stage.outputs
            side = math.ceil(side / stage.stride)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(inputs, head, 1)
        self.channels = head
        self.classes = classes
        self.classifier = None if classes is None else nn.Linear(head, classes)
        self.grid_size = (side, side)

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        """(batch, 3, size, size) uint8 → grid (batch, channels, size / 32, size / 32), pooled."""
        inputs = normalise(pixels, mean=self.mean, std=self.std, dtype=self.stem.weight.dtype)
        hidden = functional.relu6(self.stem(inputs))  # (batch, 32, size / 2, size / 2)
        hidden = self.blocks(hidden)  # (batch, 320 · width, size / 32, size / 32)
        grid = functional.relu6(self.head(hidden)).float()  # (batch, channels, size / 32, …)
        return BackboneFeatures(grid=grid, pooled=grid.mean((2, 3)))

    def classify(self, pooled: Tensor) -> Tensor:
        """(batch, channels) → (batch, classes) logits; see :attr:`class_names`."""
        if self.classifier is None:
            return super().classify(pooled)
        weight, bias = self.classifier.weight, self.classifier.bias
        return functional.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))
