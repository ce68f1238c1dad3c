"""Image search using multilingual texts (Portaz et al. 2019).

Pictures and sentences in several languages end in one space, compared by cosine. Words of all
languages come from one space of aligned vectors, so that a sentence in a language without captions
is understood as far as its words lie where those of the trained languages do.

**Images** (section 3.3): the grid of a convolutional network → WELDON pooling, which keeps the
cells that speak most for each channel and most against it → one linear layer with dropout,
L2-normalised. As in the work that the paper builds on (Engilberge et al., CVPR 2018), a 1 × 1
convolution of 2,400 channels stands before the pooling and 15 cells of each kind count.

**Texts** (section 3.2): pretrained word vectors (word2vec, fastText, BiVec, MUSE), which stay as
they are → four layers of simple recurrent units with dropout behind each (Lei et al., EMNLP 2018)
→ the last state, L2-normalised.

**Matching**: cosine.

**Loss** (equation 2): of each pair the hardest negative sentence, in whatever language, and the
hardest negative picture of the batch, hinged with a margin of .2. The same picture in another
language is never a negative. It stands still at 2·B·α while embeddings are random; the annealed
loss of CLMR starts at once.

**Training** (section 3.4): first the network stands still, then it learns too. The paper's pooling
has been trained on ImageNet and stands still with it; ours starts from chance and learns at once.
"""

from __future__ import annotations

from polyglance.systems.config import DualEncoderConfig, PooledImageConfig, PortazConfig


def as_dual_encoder(config: PortazConfig) -> DualEncoderConfig:
    """The system in the terms of the plain dual encoder that it is."""
    return DualEncoderConfig(
        dimension=config.dimension,
        image=PooledImageConfig(
            backbone=config.backbone, pooling=config.pooling, dropout=config.image_dropout
        ),
        text=config.text,
        loss=config.loss,
    )
