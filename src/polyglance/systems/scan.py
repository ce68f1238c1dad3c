"""SCAN: stacked cross attention for image–text matching (Lee et al., ECCV 2018).

**Images** (section 3.2): regions, one linear layer into D = 1024 dimensions, each L2-normalised.

**Texts** (section 3.3): word vectors of 300 dimensions → a BiGRU of D units whose directions are
averaged word by word, each word L2-normalised.

**Matching** (section 3.1): stacked cross attention. ``text-to-image``: every word attends to the
regions and is compared with what it found; ``image-to-text``: every region attends to the words.
The similarities of the parts are averaged, or pooled by the log of their summed exponentials. Where
no scales are given they are the authors' on Flickr30k, which differ by direction.

**Loss**: the hardest negative of the batch, hinged with a margin of .2, as in VSE++; and as there,
one between sentences and their translations, if it is given.

**Training**: Adam at 2e-4, a tenth of it after 15 of 30 epochs over all captions, batches of 128,
gradients clipped at 2.

Every pair of a picture and a text is compared anew: there is no vector that an index could keep.
"""

from __future__ import annotations

from polyglance.systems.config import DualEncoderConfig, RegionImageConfig, SCANConfig


def as_dual_encoder(config: SCANConfig) -> DualEncoderConfig:
    """The system in the terms of the plain dual encoder that it is."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=RegionImageConfig(
            backbone=config.backbone,
            activation=False,
            keep_tokens=True,
            dropout=config.image_dropout,
        ),
        text=config.text.model_copy(update={"keep_tokens": True}),
        matching=config.matching,
        loss=config.loss,
    )
