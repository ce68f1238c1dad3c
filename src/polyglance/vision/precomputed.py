"""Stands where a backbone would, for models trained on features that somebody else computed."""

from __future__ import annotations

from torch import Tensor

from polyglance.errors import ModelError
from polyglance.vision.base import Backbone, BackboneFeatures
from polyglance.vision.preprocessing import Preprocessing


class PrecomputedBackbone(Backbone):
    """Features from files, whose network is not at hand.

    The benchmark features of the field (``_precomp`` folders, bottom-up attention) come without
    the network that made them. A model trained on them reads rows of a feature store, and no
    pictures.

    Args:
        channels: of a region, or of the one vector of a picture.
        regions: of a picture, at most.
        classes: of the probabilities in files beside the features; ``None`` where they are none.
    """

    def __init__(self, *, channels: int, regions: int, classes: int | None = None) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes
        self.grid_size = (regions, 1)
        self.preprocessing = Preprocessing(size=224)  # of pictures that will never come

    def forward(self, pixels: Tensor) -> BackboneFeatures:  # noqa: ARG002
        """Refuse.

        Raises:
            ModelError: always; this model has nothing that sees pictures.
        """
        raise ModelError(
            "this model was trained on features from files and cannot read pictures; give it the "
            "features of these pictures (polyglance data prepare precomp), or train a model with a "
            "backbone of its own, such as image.backbone.kind = 'resnet50'"
        )

    def check_row(self, shape: tuple[int, ...], where: str) -> None:
        """See that rows of a feature store are what the model reads.

        Args:
            shape: of a row, (regions, channels) or (channels,).
            where: the store, for the message.

        Raises:
            ModelError: they are of another size.
        """
        regions, channels = self.grid_size[0], self.channels
        fits = shape[-1] == channels and (len(shape) == 1 or 1 <= shape[0] <= regions)
        if not fits or len(shape) > 2:
            raise ModelError(
                f"{where}: a row is {' × '.join(map(str, shape))}, and the model reads up to "
                f"{regions} regions × {channels} channels, or one vector of {channels}; set "
                "model.image.backbone.regions and .channels to what the store has"
            )
