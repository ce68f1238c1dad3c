"""VSE++: improving visual-semantic embeddings with hard negatives (Faghri et al., BMVC 2018).

**Images** (section 3.1): the global feature of a convolutional network and one linear layer into
D = 1024 dimensions, L2-normalised.

**Texts**: word vectors of 300 dimensions that start from U(−.1, .1) → a GRU of D units, one
direction, whose last state is L2-normalised.

**Matching**: cosine. The order variant (Vendrov et al., ICLR 2016) compares by
−‖max(0, t − v)‖: a text is more general than its picture and lies below it in every dimension;
embeddings are then made non-negative by their absolute value.

**Loss** (equation 6): of each pair and direction only the hardest negative of the batch counts,
hinged with a margin of .2. It stands still at 2·B·α while embeddings are random; the annealed
loss of CLMR starts at once. With a loss between sentences and their translations it learns from
parallel text as well, as Wehrmann et al. (ICCV 2019, tables 4 and 5) train it.

**Training**: Adam at 2e-4, a tenth of it after 15 of 30 epochs over all captions, batches of 128,
gradients clipped at 2; then the convolutional network too, at 2e-5, with the BatchNorm statistics
that it came with.
"""

from __future__ import annotations

from polyglance.systems.config import DualEncoderConfig, PooledImageConfig, VSEppConfig


def as_dual_encoder(config: VSEppConfig) -> DualEncoderConfig:
    """The system in the terms of the plain dual encoder that it is."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=PooledImageConfig(backbone=config.backbone, pooling=config.pooling),
        text=config.text,
        matching=config.matching,
        loss=config.loss,
    )
