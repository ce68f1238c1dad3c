"""A video as one vector: the frames of it, in order, and what is learned over them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.vision.backbone_reader import present
from polyglance.vision.base import Backbone
from polyglance.vision.image_encoder import ImageEncoder
from polyglance.vision.localisation import Cells
from polyglance.vision.preprocessing import Preprocessing

POSITION_SCALE = 0.02  # of the first position vectors, small beside features; BERT's choice
INNER_WIDTH = 4  # of the perceptron in a layer, times the width; Vaswani et al., section 3.3


class TemporalPooling(nn.Module):
    """Vectors of frames → one vector: layers that let frames see one another, then the mean.

    The video side of NRCCR (Wang et al., ACM MM 2022): frame features, learned positions, a
    transformer layer, mean pooling; here without the frames that are padding. Without layers it
    is the mean alone, and the order does not matter.

    Args:
        channels: of a frame's vector.
        frames: at most so many.
        layers: of the transformer; 0 for none.
        heads: of its attention; must divide ``width``.
        width: of the layers; as wide as a frame's vector where ``None``. A projection goes before
            them where it differs.
        dropout: probability, in the layers.

    Attributes:
        channels: of the result.

    Raises:
        ValueError: ``heads`` does not divide the width.
    """

    def __init__(
        self,
        *,
        channels: int,
        frames: int,
        layers: int = 1,
        heads: int = 8,
        width: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = width or channels
        self.channels = width if layers else channels
        self.layers = nn.ModuleList()
        if not layers:
            return
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.project = nn.Identity() if width == channels else nn.Linear(channels, width)
        self.positions = nn.Parameter(POSITION_SCALE * torch.randn(frames, width))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        for _ in range(layers):
            layer = nn.TransformerEncoderLayer(
                width,
                heads,
                dim_feedforward=INNER_WIDTH * width,
                dropout=dropout,
                activation="gelu",
                batch_first=True,
            )
            self.layers.append(layer)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Pool frames.

        Args:
            frames: (batch, frames, channels), in order.
            mask: (batch, frames) bool, false at padding, which takes part in nothing.

        Returns:
            (batch, channels); of a video without any frame, what frames of zeros give.
        """
        first = torch.arange(mask.shape[1], device=mask.device) == 0  # (frames,)
        mask = mask | (first & ~mask.any(1, keepdim=True))  # attention to nothing is not a number
        if len(self.layers):
            frames = self.project(frames) + self.positions[: frames.shape[1]]
            frames = self.dropout(self.norm(frames))  # (batch, frames, width)
            for layer in self.layers:
                frames = layer(frames, src_key_padding_mask=~mask)
        weights = mask.to(frames.dtype)[..., None]  # (batch, frames, 1)
        summed = (frames * weights).sum(1)  # (batch, channels)
        return summed / weights.sum(1)


class FramesEncoder(ImageEncoder):
    """The backbone's vector of each frame, pooled over time, and projected into the joint space.

    A picture is a video of one frame. A frame that is black throughout shows nothing, and is
    padding; so is a row of zeros where frames come as features.

    Args:
        backbone: see :class:`ImageEncoder`; of each frame its global feature is taken.
        temporal: pools the frames.
        head: projects what it made of them.
        frames: of a video, evenly spaced in time.
    """

    def __init__(
        self, *, backbone: Backbone, temporal: TemporalPooling, head: ProjectionHead, frames: int
    ) -> None:
        super().__init__(backbone=backbone, dimension=head.dimension, keeps="pooled")
        self.temporal = temporal
        self.head = head
        self.frames = frames

    @property
    def preprocessing(self) -> Preprocessing:
        """The backbone's, for so many frames."""
        return replace(self.backbone.preprocessing, frames=self.frames)

    def learned(self) -> nn.Module:
        """Pooling and projection."""
        return nn.ModuleList([self.temporal, self.head])

    def backbone_features(self, pixels: Tensor) -> Tensor:
        """Each frame's global feature.

        Args:
            pixels: (batch, frames, 3, height, width) uint8, or (batch, 3, height, width) pictures.

        Returns:
            (batch, frames, channels), zeros where a frame is black.
        """
        clips = pixels[:, None] if pixels.dim() == 4 else pixels  # (batch, frames, 3, h, w)
        there = clips.flatten(2).amax(-1) > 0  # (batch, frames)
        there[~there.any(1), 0] = True  # of a video that is black throughout, a frame
        shown = super().backbone_features(clips[there])  # (shown, channels)
        kept = shown.new_zeros(*there.shape, shown.shape[1])  # (batch, frames, channels)
        return kept.masked_scatter(there[..., None], shown)

    def forward(self, images: Tensor) -> Features:
        """Encode pixels (uint8) or the result of :meth:`backbone_features` (floating point).

        Args:
            images: (batch, frames, 3, height, width) or (batch, 3, height, width) uint8; (batch,
                frames, channels) or, of pictures, (batch, channels).
        """
        kept = self.read(images)
        if kept.dim() == 2:
            kept = kept[:, None]  # (batch, 1, channels)
        pooled = self.temporal(kept, present(kept.detach()))  # (batch, pooled channels)
        return Features(embedding=self.head(pooled))  # (batch, dimension)

    @property
    def localises(self) -> bool:
        """No: what is learned is over time, and not over places."""
        return False

    def cells(self, pixels: Tensor) -> Cells:  # noqa: ARG002
        """Refuse.

        Raises:
            ModelError: always.
        """
        raise ModelError(
            "this model was made for videos and sees every frame as a whole; a model with "
            "image.kind = 'pooled' or 'regions' can be asked for the place in a picture"
        )
