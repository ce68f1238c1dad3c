"""ResNet (He et al., "Deep residual learning for image recognition", CVPR 2016)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.normalise import normalise
from polyglance.vision.preprocessing import Preprocessing


class Bottleneck(nn.Module):
    """1×1 reduces, 3×3 looks around, 1×1 expands, and the input is added (figure 5, right).

    Batch normalisation is part of the convolutions: with frozen statistics it is affine, so each
    convolution has a bias and gradients flow as through any other. The stride is on the first
    1×1, as in the original.
    """

    def __init__(self, *, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        outputs = 4 * width
        self.reduce = nn.Conv2d(inputs, width, 1, stride=stride)
        self.spatial = nn.Conv2d(width, width, 3, padding=1)
        self.expand = nn.Conv2d(width, outputs, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride) if project else None

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, inputs, rows, columns) → (batch, 4 · width, rows / stride, columns / stride)."""
        identity = inputs if self.shortcut is None else self.shortcut(inputs)
        hidden = functional.relu(self.reduce(inputs), inplace=True)
        hidden = functional.relu(self.spatial(hidden), inplace=True)
        return functional.relu(self.expand(hidden) + identity, inplace=True)


class ResNet(Backbone):
    """Bottleneck ResNet with batch normalisation folded in.

    Args:
        depths: blocks in each stage; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
        width: of the first stage's bottleneck, 64 in the paper; doubles from stage to stage.
        classes: of the classifier over the pooled vector; ``None`` for no classifier.
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
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
        classes: int | None = 1000,
        mean: Sequence[float] = (123.68, 116.779, 103.939),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        class_names: Sequence[str] = (),
        preprocessing: Preprocessing | None = None,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing or Preprocessing(size=224)
        self.mean, self.std = tuple(mean), tuple(std)
        self.class_names = tuple(class_names)
        self.stem = nn.Conv2d(3, width, 7, stride=2, padding=3)
        inputs = width
        stages: list[nn.Module] = []
        for stage, depth in enumerate(depths):
            blocks: list[nn.Module] = []
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(
                    Bottleneck(
                        inputs=inputs, width=width << stage, stride=stride, project=block == 0
                    )
                )
                inputs = 4 * (width << stage)
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.channels = inputs
        self.classes = classes
        self.classifier = None if classes is None else nn.Linear(inputs, classes)
        side = -(-self.preprocessing.size // (2 << len(depths)))  # halved, rounding up
        self.grid_size = (side, side)

    def forward(self, pixels: Tensor) -> BackboneFeatures:
        """(batch, 3, size, size) uint8 → grid (batch, channels, size / 32, size / 32), pooled."""
        inputs = normalise(pixels, mean=self.mean, std=self.std, dtype=self.stem.weight.dtype)
        hidden = functional.relu(self.stem(inputs), inplace=True)  # (batch, width, size / 2, …)
        hidden = functional.max_pool2d(
            hidden, 3, stride=2, padding=1
        )  # (batch, width, size / 4, …)
        grid = self.stages(hidden).float()  # (batch, channels, size / 32, size / 32)
        return BackboneFeatures(grid=grid, pooled=grid.mean((2, 3)))

    def classify(self, pooled: Tensor) -> Tensor:
        """(batch, channels) → (batch, classes) logits; see :attr:`class_names`."""
        if self.classifier is None:
            return super().classify(pooled)
        weight, bias = self.classifier.weight, self.classifier.bias
        return functional.linear(pooled, weight.to(pooled.dtype), bias.to(pooled.dtype))
