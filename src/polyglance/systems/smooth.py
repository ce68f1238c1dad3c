"""Paper 5: multi-modal retrieval with smooth weighting of negatives (Timofeev et al.).

**Images** (section IV): a ResNet pretrained on ImageNet, its global feature, one fully connected
layer into D = 128 dimensions, L2-normalised. The paper says "ResNet32", which is none of the
ImageNet models; we take the ResNet-50 at hand and let a recipe name any other.

**Texts**: DistilBERT and one fully connected layer into the same space. The paper does not say what
of DistilBERT it projects; we take the state of the first token. Pretrained weights where a recipe
names them; else of the configured size from scratch, with a tokenizer trained on the captions.

**Matching**: cosine.

**Loss** (equation 4): SimCLR for two modalities. For a caption c and its image i

    −s(i, c)/τ + log Σ_{c'≠c} exp(s(i, c')/τ)  −s(i, c)/τ + log Σ_{i'≠i} exp(s(i', c)/τ),  τ = .07

whose gradient weighs all negatives by a softmax: between the sum of hinges, where each counts the
same, and the maximum, where one counts. The paper compares it with both, and with Barlow Twins.

**Training** (section VI): Adam at 1e-4, halved after epochs 1, 4 and 10; 30 epochs, batches of 64
pictures with one caption each, drawn anew every epoch; any of the two encoders may be frozen.
"""

from __future__ import annotations

from polyglance.systems.config import DualEncoderConfig, PooledImageConfig, SmoothConfig


def as_dual_encoder(config: SmoothConfig) -> DualEncoderConfig:
    """The paper's system in the terms of the plain dual encoder that it is."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=PooledImageConfig(backbone=config.backbone),
        text=config.text,
        loss=config.loss,
    )
