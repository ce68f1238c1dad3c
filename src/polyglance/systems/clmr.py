"""CLMR and LIWE: language-agnostic visual-semantic embeddings (Wehrmann et al. 2019).

Pictures and sentences of every language end in one space, compared by cosine. Picture–caption
pairs align pictures with the languages that have captions; sentences and their translations, from
any corpus and without pictures, align the languages with one another.

**Images** (section 2.3): region features, a non-local block, a 1-D convolution, the average. Behind
the convolution is a leaky rectifier, which is in the authors' code and not in the paper. The code
also brings each region to unit length before the average, and the paper does not say so; over the
cells of a grid, most of which show background, that lets them all count the same and costs twenty
points of rsum, so it is an option.

**Texts** (sections 2.1 and 2.2): word vectors in the order of the sentence through a bidirectional
GRU whose two last states are averaged. With vectors learned a word the paper calls the model CLMR;
with vectors computed of a word's characters, LIWE.

**Loss** (section 2.4): with J_M the loss between pictures x and captions c, and J_L the same loss
between sentences t of the language l_1 and their translations into l_j (equation 8)

    J = J_M(x, c) + 1/|L| Σ_j J_L(t_l1, t_lj)

where each of them goes from the sum to the maximum of hinges on a scale of its own (equations 2–7);
see :mod:`polyglance.systems.cotrained`.

**Training**: one batch of pictures and one batch of sentences a step, as in the authors' code.
"""

from __future__ import annotations

from polyglance.systems.config import CLMRConfig, DualEncoderConfig, RegionImageConfig


def as_dual_encoder(config: CLMRConfig) -> DualEncoderConfig:
    """The encoders, the matching and J_M in the terms of the plain dual encoder."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=RegionImageConfig(
            backbone=config.backbone,
            non_local=config.non_local,
            activation=True,
            normalise_regions=config.normalise_regions,
            dropout=config.image_dropout,
        ),
        text=config.text,
        loss=config.loss,
    )
